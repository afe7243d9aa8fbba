"""Signing in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airloom.core import Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.core.authentication import (
    ArmTokenAuthentication,
    Audience,
    AzureCliAuthentication,
    AzureMLTokenAuthentication,
    InteractiveLoginAuthentication,
    MsiAuthentication,
    ServicePrincipalAuthentication,
    TokenAuthentication,
)
from airloom.exceptions import AuthenticationException
from tests.unit.sdk_core.conftest import write_config
from tests.unit.sdk_core.server import PASSWORD, USER, State


@pytest.fixture
def configured(server: tuple[str, State], own_surroundings: Path) -> State:
    """A config.json in the working folder."""
    write_config(own_surroundings, server[0])
    return server[1]


def test_interactive_login_is_the_user_of_config_json(configured: State) -> None:
    header = InteractiveLoginAuthentication().get_authentication_header()
    assert header == {"Authorization": "Bearer token-1"}


class TestAskingForAToken:
    @pytest.fixture
    def pasted(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What the person at the keyboard pastes, one after the other."""
        answers: list[str] = []
        monkeypatch.setattr("getpass.getpass", lambda prompt: answers.pop(0))
        return answers

    @pytest.fixture
    def nameless(self, server: tuple[str, State], monkeypatch: pytest.MonkeyPatch) -> State:
        """A server of which only the address is known."""
        monkeypatch.setenv("AIRLOOM_ENDPOINT", server[0])
        return server[1]

    def test_at_a_terminal_where_no_user_is_named(
        self,
        nameless: State,
        pasted: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        pasted.append(" token-0\n")
        auth = InteractiveLoginAuthentication()
        assert Workspace.get("default", auth=auth).name == "default"
        assert auth.get_authentication_header() == {"Authorization": "Bearer token-0"}
        assert "Generate Token" in capsys.readouterr().out

    def test_again_when_the_token_has_ended(self, nameless: State, pasted: list[str]) -> None:
        pasted += ["ended", "token-0"]
        assert Workspace.get("default", auth=InteractiveLoginAuthentication(force=True)).name == "default"

    def test_nothing_is_pasted(self, nameless: State, pasted: list[str]) -> None:
        pasted.append("")
        with pytest.raises(AuthenticationException, match="No token was given"):
            InteractiveLoginAuthentication(force=True).get_token()

    def test_only_if_it_is_needed(self, configured: State, pasted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        assert InteractiveLoginAuthentication().get_token().token == "token-1"
        pasted.append("other")
        assert InteractiveLoginAuthentication(force=True).get_token().token == "other"

    def test_where_nobody_is(self, nameless: State, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
        with pytest.raises(AuthenticationException, match="no credentials"):
            InteractiveLoginAuthentication().get_token()


def test_a_token_of_the_environment_counts_most(configured: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_TOKEN", "given")
    assert InteractiveLoginAuthentication().get_token().token == "given"


def test_a_token_is_asked_for_once(configured: State) -> None:
    auth = InteractiveLoginAuthentication()
    assert auth.get_authentication_header() == auth.get_authentication_header()
    assert configured.logins == 1


@pytest.mark.parametrize(
    "make", [AzureCliAuthentication, MsiAuthentication, lambda: InteractiveLoginAuthentication(tenant_id="t")]
)
def test_ways_of_azure_say_that_they_are_none(configured: State, make: Any) -> None:
    with pytest.warns(IgnoredArgumentWarning, match="no Azure to sign in to"):
        auth = make()
    assert auth.get_authentication_header() == {"Authorization": "Bearer token-1"}


def test_a_service_principal_is_a_user_with_a_password(configured: State) -> None:
    auth = ServicePrincipalAuthentication("tenant", USER, PASSWORD)
    assert Workspace.from_config(auth=auth).name == "default" and auth.get_token("scope").token == "token-1"
    with pytest.raises(AuthenticationException, match="not right"):
        ServicePrincipalAuthentication("tenant", USER, "wrong").get_token()
    with pytest.raises(AuthenticationException, match="must not be empty"):
        ServicePrincipalAuthentication("tenant", USER, "")


def test_given_tokens_are_used_as_they_are(configured: State) -> None:
    arm = ArmTokenAuthentication("token-0")
    assert Workspace.from_config(auth=arm).name == "default" and configured.logins == 0
    arm.update_arm_access_token("bad")
    with pytest.raises(AuthenticationException, match="not valid"):
        Workspace.from_config(auth=arm)
    azureml = AzureMLTokenAuthentication("token-0", expiry_time="never", run_id="r1")
    assert (azureml.token, azureml.expiry_time, azureml.get_token().token) == ("token-0", "never", "token-0")
    same = AzureMLTokenAuthentication.create("token-0", "never", None, None, None, "w", "e", "r1")
    assert (same.token, same.run_id, same.workspace_name, same.experiment_name) == ("token-0", "r1", "w", "e")
    azureml.set_token("other", None)
    assert azureml.get_authentication_header() == {"Authorization": "Bearer other"}


def test_a_function_may_give_the_token(configured: State) -> None:
    tokens = ["stale", "token-0"]
    audiences: list[str] = []

    def get(audience: str) -> str:
        audiences.append(audience)
        return tokens.pop(0) if len(tokens) > 1 else tokens[0]

    auth = TokenAuthentication(get)
    assert Workspace.from_config(auth=auth).name == "default"
    assert auth.get_token(audience=Audience.ARM).token == "token-0"
    assert set(audiences) == {Audience.AZUREML, Audience.ARM}


def test_a_session_carries_the_token(configured: State) -> None:
    class Session:
        def __init__(self) -> None:
            self.headers: dict[str, str] = {}

    assert InteractiveLoginAuthentication().signed_session(Session()).headers == {"Authorization": "Bearer token-1"}


def test_without_credentials_it_says_where_to_put_them(
    server: tuple[str, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLOOM_ENDPOINT", server[0])
    with pytest.raises(AuthenticationException, match=r"AIRLOOM_TOKEN, or use a config\.json"):
        InteractiveLoginAuthentication().get_token()
