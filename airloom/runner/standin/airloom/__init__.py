"""The part of the SDK that Airloom offers inside a step."""

from _airloom_step import install  # type: ignore[import-not-found]

install(__name__)
