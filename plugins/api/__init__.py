"""The REST API: a FastAPI application that Airflow's api-server mounts at /airloom."""
