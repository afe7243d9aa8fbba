"""Airflow on one machine, started, supervised and ended by `airloom up` and `airloom down`.

Nothing here imports Airflow: its components are processes, made with the `airflow` command of this environment. All
that belongs to one server lies in one folder, its home.
"""
