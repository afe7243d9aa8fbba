"""Bytes at rest: the deployment's object store, datastores, tree manifests and snapshots of source folders."""
