"""Alembic migrations of Airloom's tables, run by Airflow's database commands."""
