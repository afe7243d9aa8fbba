"""The implementation behind both names of the stand-in."""

from .modules import install

__all__ = ["install"]
