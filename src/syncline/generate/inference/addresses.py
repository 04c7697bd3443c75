"""Addresses that strangers wrote."""

from __future__ import annotations

from urllib.parse import urljoin

from syncline.errors import OriginError
from syncline.http.origins import check_url


def safe_address(text: str | None, base: str | None = None) -> str | None:
    """A whole http(s) address that everybody reads alike, or None; one without a host starts at `base`."""
    if not text:
        return None
    try:
        address = urljoin(base, text) if base else text
        check_url(address)
    except (OriginError, ValueError):
        return None
    return address
