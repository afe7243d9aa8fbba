"""How Airflow connects to the embedded SQLite database; named in the profile by import path."""

from __future__ import annotations

CONNECT_ARGS = {"timeout": 30}
