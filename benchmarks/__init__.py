"""How fast Airloom is, each figure against a peer or a bare baseline that is measured in the same run: `make bench`."""
