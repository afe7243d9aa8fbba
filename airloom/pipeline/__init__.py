"""Pipelines: steps, the data between them, and their runs. Names and module paths are those of Azure ML SDK v1."""
