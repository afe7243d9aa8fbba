"""Pages for people: what a run did and why, rendered by the server and shown inside Airflow's UI."""
