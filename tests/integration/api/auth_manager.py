"""SimpleAuthManager knows roles but not single DAGs, as other auth managers do. This one knows one rule more."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class AuthManagerWithSecrets(SimpleAuthManager):
    """Keeps DAGs of the experiment `secret` from everybody but administrators."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **rest: Any) -> bool:
        secret = details is not None and details.id is not None and details.id.startswith("secret.")
        allowed = super().is_authorized_dag(user=user, details=details, **rest)
        return bool(allowed and (not secret or user.role == "admin"))
