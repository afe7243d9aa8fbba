"""Airloom's tables in Airflow's own database. Airflow creates and migrates them with `airflow db migrate`."""
