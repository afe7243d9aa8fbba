"""How tests run while mutants are tried: the same ones each time, as slow as the machine is, and without waiting.

Hypothesis takes fewer examples, always the same, and gives each all the time it needs. Azure's client library sends
lost requests again at once.
"""

from __future__ import annotations

from azure.storage.blob._shared.policies import StorageRetryPolicy
from hypothesis import settings

settings.register_profile("mutation", derandomize=True, max_examples=30, deadline=None)
settings.load_profile("mutation")

StorageRetryPolicy.sleep = lambda self, settings, transport: None
