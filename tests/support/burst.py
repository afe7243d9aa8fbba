"""Many callers at once, with a plain HTTP client each."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Post:
    """A request: address, body, and headers beside the token."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What came of a request, and after how many seconds."""

    status: int
    body: Any
    seconds: float


def burst(token: str, posts: Sequence[Post], callers: int) -> list[Answer]:
    """The answers, in the order of the requests. The callers begin together, and each sends one after the other."""
    ready = threading.Barrier(callers)

    def call(number: int) -> list[Answer]:
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=120) as http:
            ready.wait()
            return [_send(http, post) for post in posts[number::callers]]

    with ThreadPoolExecutor(callers) as pool:
        by_caller = list(pool.map(call, range(callers)))
    return [by_caller[index % callers][index // callers] for index in range(len(posts))]


def _send(http: httpx.Client, post: Post) -> Answer:
    started = time.perf_counter()
    answer = http.post(post.url, json=dict(post.body), headers=dict(post.headers))
    return Answer(answer.status_code, answer.json(), time.perf_counter() - started)
