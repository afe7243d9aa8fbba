"""The part of the SDK that Airloom offers inside a step, under the name that scripts written for Azure ML use."""

from _airloom_step import install  # type: ignore[import-not-found]

install(__name__)
