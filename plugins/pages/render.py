"""From values to HTML: templates that escape everything, and headers that let nothing but our own style and script in.

Style and script stand in the page itself, allowed by their digests alone. Were a value ever written out unescaped, a
script in it would still not run.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class _Fixed:
    """What every page holds: its style, its script, and the policy that allows these two only."""

    style: str
    script: str
    policy: str


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page made from a template."""
    html = _environment().get_template(template).render(**values)
    headers = {
        "Content-Security-Policy": _fixed().policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(html, status, headers)


def message(status: int, title: str, text: str) -> HTMLResponse:
    """A page that says why there is nothing to be seen."""
    return page("message.html", status, title=title, text=text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    fixed = _fixed()
    environment.globals["style"] = Markup(fixed.style)  # our own files, which no value enters
    environment.globals["script"] = Markup(fixed.script)
    return environment


@cache
def _fixed() -> _Fixed:
    style = (_TEMPLATES / "page.css").read_text("utf-8")
    script = (_TEMPLATES / "page.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return _Fixed(style, script, policy)


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
