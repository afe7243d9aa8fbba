"""The `airloom` command. Each command imports what it needs when it runs, so that help and completion are quick."""

from airloom.cli.app import app, main

__all__ = ["app", "main"]
