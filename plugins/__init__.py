"""What lives in Airflow's server processes: the plugin, the REST API, the tables, the DAG bundle and factory."""
