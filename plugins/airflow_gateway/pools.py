"""Airflow's pools, which bound how many tasks run on a compute target at a time."""

from __future__ import annotations

from airflow.exceptions import PoolNotFound
from airflow.models.pool import Pool
from sqlalchemy.orm import Session


def put_pool(session: Session, name: str, slots: int, description: str) -> None:
    """Create or change a pool."""
    Pool.create_or_update_pool(name, slots, description, include_deferred=True, session=session)


def delete_pool(session: Session, name: str) -> None:
    """Remove a pool, if it is there."""
    try:
        Pool.delete_pool(name, session=session)
    except PoolNotFound:
        return
