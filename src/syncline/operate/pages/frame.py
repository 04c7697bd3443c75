"""What is around every page: its head, the style, and the script that keeps it up to date."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from syncline.operate.pages.html import Content, Html, tag

HERE = Path(__file__).parent
OFFLINE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What an exported page may do: nothing but look as it does."""


@cache
def _text(name: str) -> Html:
    return Html(HERE.joinpath(name).read_text(encoding="utf-8"))


def page(title: str, *content: Content, nonce: str | None = None, live: bool = False) -> str:
    """A whole document. With a `nonce` it is served under a policy that lets nothing else in; without, it is a file."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        None if nonce else Html(f'<meta http-equiv="Content-Security-Policy" content="{OFFLINE}"/>'),
        tag("title", title),
        tag("style", _text("style.css"), nonce=nonce),
    )
    script = tag("script", _text("live.js"), nonce=nonce) if nonce and live else None
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("main", *content), script), lang="en") + "\n"
