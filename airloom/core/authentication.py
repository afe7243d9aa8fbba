"""Signing in, under v1's names.

Airflow knows users, with passwords or signed in by a browser, and gives them tokens. What is Azure's own (the Azure
command line, managed identities) comes down to the user that config.json or AIRLOOM_TOKEN speaks of.
"""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from airloom.core._compat import ignored, ignored_unless_default
from airloom.core._config_file import Connection, find_connection
from airloom.core._connection import ambient_credentials, bearer_token
from airloom.core._console import say
from airloom.exceptions import AuthenticationException, UserErrorException

if TYPE_CHECKING:
    from airloom.client import Credentials

_NO_AZURE = "there is no Azure to sign in to; the user of config.json or AIRLOOM_TOKEN is taken."


class Audience:
    """What a token may be asked for. Airloom's tokens are for everything."""

    ARM = "ARM"
    AZUREML = "AZUREML"


class AccessToken(NamedTuple):
    """A token, and the moment (in seconds since 1970) from which it should be asked for anew."""

    token: str
    expires_on: int


class AbstractAuthentication:
    """What all ways of signing in can do: give a token, and the header of an HTTP request that carries it."""

    def __init__(self, cloud: str | None = None) -> None:
        if cloud not in (None, "None", "AzureCloud"):
            ignored(f"{type(self).__name__}(cloud=...)", _NO_AZURE)
        self._connection: Connection | None = None
        self._made: Credentials | None = None

    def get_authentication_header(self) -> dict[str, str]:
        """`{"Authorization": "Bearer ..."}`, for calling the server without the SDK."""
        return {"Authorization": f"Bearer {self._token()}"}

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """The token alone. Scopes are of Azure: Airloom's tokens are for everything the user may do."""
        return AccessToken(self._token(), int(time.time()) + 300)

    def signed_session(self, session: Any = None) -> Any:
        """A `requests` session that sends the token with every request."""
        if session is None:
            try:
                import requests
            except ImportError as error:
                raise UserErrorException("signed_session() needs the package requests: pip install requests") from error
            session = requests.Session()
        session.headers.update(self.get_authentication_header())
        return session

    def _token(self) -> str:
        connection = self._connection or find_connection()
        return bearer_token(connection, self._bind(connection))

    def _bind(self, connection: Connection) -> Credentials:
        """The credentials for a server; remembered, so that later calls are for the same one."""
        if self._made is None or connection != self._connection:
            self._connection, self._made = connection, self._credentials(connection)
        return self._made

    def _credentials(self, connection: Connection) -> Credentials:
        """What this way of signing in means for a server. Here: the user that its configuration names."""
        return ambient_credentials(connection)


class InteractiveLoginAuthentication(AbstractAuthentication):
    """Signs in as the user of config.json or AIRLOOM_TOKEN; if neither names one, asks the person at the keyboard.

    What is asked for is a token, which Airflow's own page gives to whoever is signed in there, in whatever way: with
    Microsoft Entra ID, for example. `force=True` asks in any case.
    """

    def __init__(self, force: bool = False, tenant_id: str | None = None, cloud: str | None = None) -> None:
        super().__init__(cloud)
        ignored_unless_default("InteractiveLoginAuthentication", {"tenant_id": (tenant_id, None)}, _NO_AZURE)
        self._force = force

    def _credentials(self, connection: Connection) -> Credentials:
        from airloom.client import NoCredentials

        ambient = ambient_credentials(connection)
        if self._force or (isinstance(ambient, NoCredentials) and somebody_is_there()):
            return PastedToken(connection.endpoint)
        return ambient


class PastedToken:
    """Credentials that ask for a token when it is first needed, and again when the server takes it no more."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = ""

    def token(self, request_token: Callable[[dict[str, str]], str]) -> str:
        """The token that was pasted last."""
        return self._token or self._ask("")

    def renew(self, request_token: Callable[[dict[str, str]], str]) -> str | None:
        """Another token, as the last one has ended."""
        return self._ask("The token has ended or is not right. ")

    def _ask(self, reason: str) -> str:
        where = f"Sign in at {self._endpoint}, choose Generate Token in the menu of the user"
        say(f"{reason}{where}, and copy the API token.")
        self._token = getpass.getpass("Paste it here: ").strip()
        if not self._token:
            raise AuthenticationException("No token was given.")
        return self._token


def somebody_is_there() -> bool:
    """True at a terminal and in a notebook, where a question is answered."""
    return sys.stdin.isatty() or "ipykernel" in sys.modules


class AzureCliAuthentication(AbstractAuthentication):
    """Signs in as the user of config.json or AIRLOOM_TOKEN, and says once that the Azure command line is not asked."""

    def __init__(self, cloud: str | None = None) -> None:
        super().__init__(cloud)
        ignored("AzureCliAuthentication", _NO_AZURE)


class MsiAuthentication(AbstractAuthentication):
    """Signs in as the user of config.json or AIRLOOM_TOKEN, and says once that there is no managed identity."""

    def __init__(self, cloud: str | None = None, **kwargs: Any) -> None:
        super().__init__(cloud)
        ignored("MsiAuthentication", _NO_AZURE)


class ServicePrincipalAuthentication(AbstractAuthentication):
    """Signs in with a user name (`service_principal_id`) and a password (`service_principal_password`) of Airloom's.

    For automation: keep the password in a secret of the build system and pass it here. `tenant_id` has no meaning.
    """

    def __init__(
        self,
        tenant_id: str | None,
        service_principal_id: str,
        service_principal_password: str,
        cloud: str = "AzureCloud",
    ) -> None:
        super().__init__(cloud)
        if not service_principal_id or not service_principal_password:
            raise AuthenticationException("service_principal_id (a user name) and its password must not be empty.")
        self._username, self._password = service_principal_id, service_principal_password

    def _credentials(self, connection: Connection) -> Credentials:
        from airloom.client import PasswordCredentials

        return PasswordCredentials(self._username, password=self._password)


class _GivenToken(AbstractAuthentication):
    """Signs in with a token that somebody else got."""

    def _given(self) -> str:
        raise AuthenticationException(f"{type(self).__name__} holds no token.")

    def _token(self) -> str:
        return self._given()

    def _credentials(self, connection: Connection) -> Credentials:
        return CurrentToken(self._given)


class CurrentToken:
    """Credentials that ask for the token at every request, so that a replaced one counts at once."""

    def __init__(self, current: Callable[[], str]) -> None:
        self._current = current
        self._last = ""

    def token(self, request_token: Callable[[dict[str, str]], str]) -> str:
        """The token as it is now."""
        self._last = self._current()
        return self._last

    def renew(self, request_token: Callable[[dict[str, str]], str]) -> str | None:
        """Another token than the one that was refused, if there is one by now."""
        refused = self._last
        return self._last if self.token(request_token) != refused else None


class TokenAuthentication(_GivenToken):
    """Signs in with what a function returns; it is called for every request, with `Audience.AZUREML`."""

    def __init__(self, get_token_for_audience: Callable[[str], str], cloud: str | None = None) -> None:
        super().__init__(cloud)
        self._get = get_token_for_audience

    def get_token(self, *scopes: str, audience: str = Audience.AZUREML, **kwargs: Any) -> AccessToken:
        """The token for an audience."""
        return AccessToken(self._get(audience), int(time.time()) + 300)

    def _given(self) -> str:
        return self._get(Audience.AZUREML)


class ArmTokenAuthentication(_GivenToken):
    """Signs in with a token of Airloom's that was given."""

    def __init__(self, arm_access_token: str, cloud: str = "None") -> None:
        super().__init__(cloud)
        self._arm_access_token = arm_access_token

    def update_arm_access_token(self, new_arm_access_token: str) -> None:
        """Use another token from now on."""
        self._arm_access_token = new_arm_access_token

    def _given(self) -> str:
        return self._arm_access_token


class AzureMLTokenAuthentication(_GivenToken):
    """Signs in with a token of Airloom's that was given; what v1 adds about the run is kept and not needed."""

    def __init__(
        self,
        azureml_access_token: str,
        expiry_time: Any = None,
        host: str | None = None,
        subscription_id: str | None = None,
        resource_group_name: str | None = None,
        workspace_name: str | None = None,
        experiment_name: str | None = None,
        run_id: str | None = None,
        user_email: str | None = None,
        experiment_id: str | None = None,
        cloud: str = "AzureCloud",
    ) -> None:
        super().__init__(cloud)
        self._azureml_access_token, self._expiry_time = azureml_access_token, expiry_time
        self.run_id, self.workspace_name, self.experiment_name = run_id, workspace_name, experiment_name

    @staticmethod
    def create(
        azureml_access_token: str,
        expiry_time: Any,
        host: str | None,
        subscription_id: str | None,
        resource_group_name: str | None,
        workspace_name: str | None,
        experiment_name: str | None,
        run_id: str | None,
        user_email: str | None = None,
        experiment_id: str | None = None,
    ) -> AzureMLTokenAuthentication:
        """The same as the constructor, for code that calls it as v1's own does."""
        return AzureMLTokenAuthentication(
            azureml_access_token,
            expiry_time,
            host,
            subscription_id,
            resource_group_name,
            workspace_name,
            experiment_name,
            run_id,
            user_email,
            experiment_id,
        )

    @property
    def token(self) -> str:
        """The token."""
        return self._azureml_access_token

    @property
    def expiry_time(self) -> Any:
        """When the token ends, as it was given."""
        return self._expiry_time

    def set_token(self, token: str, expiry_time: Any) -> None:
        """Use another token from now on."""
        self._azureml_access_token, self._expiry_time = token, expiry_time

    def _given(self) -> str:
        return self._azureml_access_token
