"""Airloom: Azure-ML-style machine-learning pipelines on Apache Airflow."""

__version__ = "0.1.0"
