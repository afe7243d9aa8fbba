"""Choosing a port."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from airloom.embedded.ports import choose_port, is_free
from airloom.errors import AirloomError


def test_a_port_that_is_asked_for_is_taken_or_refused() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(AirloomError, match=f"Port {port} of 127.0.0.1 is in use"):
            choose_port(port)
    assert choose_port(port) == port


def test_a_server_on_all_addresses_counts_too() -> None:
    with closing(socket.create_server(("0.0.0.0", 0))) as other:
        assert not is_free(other.getsockname()[1])


def test_zero_takes_any_free_one() -> None:
    assert is_free(choose_port(0))


def test_the_last_port_is_kept_if_it_is_free() -> None:
    last = choose_port(0)
    assert choose_port(None, last) == last
    with closing(socket.create_server(("127.0.0.1", last))):
        chosen = choose_port(None, last)
        assert chosen != last
        assert is_free(chosen)
