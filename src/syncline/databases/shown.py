"""Addresses as people may see them."""

from __future__ import annotations

from urllib.parse import urlsplit

from syncline.model import Secret


def without_password(url: Secret | str) -> str:
    """`postgresql://user@host:port/name`: no password, no options (they can hold one too)."""
    text = url.reveal() if isinstance(url, Secret) else url
    try:
        parts = urlsplit(text)
        user = f"{parts.username}@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the database"
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
