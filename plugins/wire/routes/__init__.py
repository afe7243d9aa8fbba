"""The routes, one module per resource, with the paths of the original service."""
