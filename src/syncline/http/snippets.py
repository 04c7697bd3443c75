"""Evidence: what an answer said, short enough to read and safe to print."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from syncline.model import BodyTooDeep, MalformedBody, Response, Secret, decode_json

LONGEST = 300
LOOKED_AT = 65_536
SHORTEST_SECRET = 6
_MESSAGE_KEYS = ("message", "error_description", "detail", "error", "errors", "title", "reason", "description", "msg")
_TITLE = r"(?is)<title[^>]*>(.*?)</title>"


def printable(text: str, longest: int = LONGEST) -> str:
    """One line of at most `longest` characters, with control and other invisible characters escaped."""
    text = " ".join(text[: longest * 4].split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def is_markup(response: Response) -> bool:
    """Whether the answer is HTML or XML, whatever it says it is."""
    if "html" in response.headers.get("Content-Type", "").lower():
        return bool(response.body)
    return response.body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def page_title(response: Response) -> str | None:
    """The title of an HTML page."""
    from html import unescape  # late: all the entities of HTML, which no API speaks that is well

    found = re.search(_TITLE, response.body[:LOOKED_AT].decode("utf-8", "replace"))
    return printable(unescape(found[1]), 120) or None if found else None


def api_message(response: Response) -> str | None:
    """What the API itself says went wrong: a message found in JSON, a page's title, or the first characters."""
    if not response.body:
        return None
    if is_markup(response):
        title = page_title(response)
        return f"a page titled '{title}'" if title else "a page of HTML or XML without a title"
    if len(response.body) <= LOOKED_AT:
        try:
            found = _message(decode_json(response.body), 4)
        except (MalformedBody, BodyTooDeep):
            found = None
        if found:
            return printable(found)
    return printable(response.body[: LONGEST * 4].decode("utf-8", "replace")) or None


def _message(document: Any, depth: int) -> str | None:
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        found = [_message(item, depth - 1) for item in document[:3]] if depth else []
        return "; ".join(text for text in found if text) or None
    if not isinstance(document, dict) or not depth:
        return None
    for key in _MESSAGE_KEYS:
        if key in document and (text := _message(document[key], depth - 1)):
            code = document.get("code") or document.get("type")
            return f"{code}: {text}" if isinstance(code, str) and code not in text else text
    return None


def conceal(text: str, secrets: Iterable[Secret]) -> str:
    """The text without these values, should a server have echoed one of them."""
    for secret in secrets:
        for piece in {secret.reveal(), *secret.reveal().split()}:
            if len(piece) >= SHORTEST_SECRET:
                text = text.replace(piece, "***")
    return text
