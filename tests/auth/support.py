"""Driving the pure steps of an auth by hand."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from syncline.model import Request, Response, Token

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URL = "https://auth.example/oauth/token"


def answer(
    document: Any, status: int = 200, content_type: str = "application/json", **headers: str | list[str]
) -> Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    pairs = [("Content-Type", content_type)]
    for name, value in headers.items():
        pairs += [(name.replace("_", "-"), one) for one in ([value] if isinstance(value, str) else value)]
    return Response(status=status, headers=Response.headers_of(pairs), body=body, url=URL)


def walk(steps: Generator[Any, Response, Token], *answers: Response) -> tuple[list[Any], Token]:
    """What was yielded, and the token at the end."""
    yielded: list[Any] = []
    try:
        yielded.append(next(steps))
        for response in answers:
            yielded.append(steps.send(response))
    except StopIteration as done:
        assert isinstance(done.value, Token)
        return yielded, done.value
    raise AssertionError("more was asked for than answered")


def form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((request.content or b"").decode()).items()}
