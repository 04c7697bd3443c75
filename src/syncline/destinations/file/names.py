"""Names for files and folders, out of configuration and out of data: they stay where they belong, and are seen.

What is escaped follows Hive's way of writing partitions, `%` and two hexadecimal digits a byte, which DuckDB, Spark and Arrow read.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from syncline.errors import PlanError

MAX_NAME_BYTES = 90
"""Of a stream, a table or a run; file systems allow 255 a component."""
MAX_VALUE_BYTES = 100
MAX_COMPONENT_BYTES = 240
"""File systems allow 255."""

NULL = "__HIVE_DEFAULT_PARTITION__"
"""The folder of rows without a value, after `column=`; a component of its own is called `null`."""
BARE_NULL = "null"
EMPTY = "%"
"""A component that would be empty. A percent sign in a value is always escaped, so nothing else is spelled like this."""

_REFUSED = re.compile(r'[/\\:*?"<>|\[\]{}\x00-\x1f\x7f]')
_PLAIN = re.compile(r"[A-Za-z0-9_@+,;~()!$&-][A-Za-z0-9 ._@+,;~()!$&-]*")
_RESERVED = frozenset("\"#%'*/:=?\\{}[]^<>|\x7f")
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories that cannot be seen, or that change how the rest is seen."""
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices."""


def checked_name(name: str) -> str:
    """A name as one component of a path. Raises PlanError."""
    fault = None
    if not name or name.startswith("."):
        fault = "it is empty or begins with a dot"
    elif _REFUSED.search(name):
        fault = "it holds a separator or a character that file systems refuse"
    elif len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        fault = f"it is longer than {MAX_NAME_BYTES} bytes"
    elif any(0xD800 <= ord(letter) <= 0xDFFF for letter in name):
        fault = "it holds a lone surrogate"
    if fault:
        raise PlanError(f"{name[:40]!r} cannot be a file's name: {fault}", hint="choose one: `into: {table: orders}`")
    return name


def escaped(text: str) -> str:
    """A value as a part of a component: without separators, without what cannot be seen, at most 100 bytes long.

    Different values stay different: one that had to be cut ends in a digest of the whole. Raises UnicodeEncodeError for a
    lone surrogate.
    """
    if not text.isascii() or not _PLAIN.fullmatch(text):
        text = "".join(map(_escaped_letter, text))
    if len(text) <= MAX_VALUE_BYTES // 4 or len(data := text.encode()) <= MAX_VALUE_BYTES:
        return text
    digest = hashlib.sha256(data).hexdigest()[:16]
    kept = data[: MAX_VALUE_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{re.sub('%[0-9A-F]?$', '', kept)}~{digest}"


def _escaped_letter(letter: str) -> str:
    if letter in _RESERVED or unicodedata.category(letter) in _HIDDEN:
        return _percent(letter)
    return letter


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode())


def component(text: str, *, from_data: bool) -> str:
    """The whole of a component. `from_data`: it begins with a value, which may neither hide it nor be a device."""
    if not text:
        return EMPTY
    if from_data and (text[0] in "._ " or _DEVICES.fullmatch(text)):
        text = _percent(text[0]) + text[1:]
    if text[-1] in ". ":  # Windows drops them
        text = text[:-1] + _percent(text[-1])
    return text
