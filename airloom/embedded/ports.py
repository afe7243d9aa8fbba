"""Choosing the port of the embedded server."""

from __future__ import annotations

import socket
from contextlib import closing

from airloom.errors import AirloomError

HOST = "127.0.0.1"
DEFAULT_PORT = 8080
ATTEMPTS = 50


def choose_port(asked: int | None, last: int | None = None) -> int:
    """The port to listen on.

    One that was asked for is taken or refused; 0 takes any free one. Otherwise the home's last port is kept if it can
    be, so that clients' settings stay true, else the first free one from 8080 on.
    """
    if asked is not None:
        if not is_free(asked):
            raise AirloomError(
                f"Port {asked} of {HOST} is in use by another program.",
                hint="Give another with --port, or 0 for any free one.",
                target=str(asked),
            )
        return asked if asked else _any_port()
    usual = range(DEFAULT_PORT, DEFAULT_PORT + ATTEMPTS)
    for port in [last, *usual] if last else usual:
        if is_free(port):
            return port
    return _any_port()


def is_free(port: int) -> bool:
    """True if a server could listen on the port now."""
    try:
        with closing(_listener(port)):
            return True
    except OSError:
        return False


def _any_port() -> int:
    with closing(_listener(0)) as listener:
        return int(listener.getsockname()[1])


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        # As the server itself does it: connections of a predecessor that are fading out do not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise OSError(str(error)) from error
    return listener
