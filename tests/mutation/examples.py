"""Hypothesis while mutants are tried: fewer examples, always the same, and as slow as the machine makes them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("mutation", derandomize=True, max_examples=30, deadline=None)
settings.load_profile("mutation")
