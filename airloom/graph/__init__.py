"""PipelineGraph: the one contract between the SDK, YAML, REST, the designer and the DAG factory."""
