"""Names for files, streams and columns out of the names of strangers: letters, digits and few signs, nothing else (S23)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container


def integration_name(text: str) -> str:
    """`[a-z0-9-]`, at most 40 long, beginning with a letter or digit."""
    return re.sub(r"[^a-z0-9]+", "-", _ascii(text).lower()).strip("-")[:40].strip("-") or "integration"


def stream_name(text: str, taken: Container[str] = ()) -> str:
    """`[a-z0-9_]`, at most 60 long, beginning with a letter; another one where it is taken."""
    return _free(column_name(text)[:56], taken)


def column_name(text: str, taken: Container[str] = ()) -> str:
    """A column for a path: `customer.email` → `customer_email`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", _ascii(text))
    name = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    return _free(f"f_{name}" if not name or name[0].isdigit() else name[:200], taken)


def variable_prefix(name: str) -> str:
    """`[A-Z0-9_]`, for environment variables."""
    prefix = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "API"
    return f"API_{prefix}" if prefix[0].isdigit() else prefix


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _free(name: str, taken: Container[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
