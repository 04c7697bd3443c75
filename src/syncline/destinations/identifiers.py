"""Names from outside that become identifiers: checked first, then quoted, never trusted."""

from __future__ import annotations

import string

from syncline.errors import PlanError

MAX_IDENTIFIER = 128
"""Characters; no table or column of a person's making comes near it."""

OURS = ("sqlite_", "syncline_")
_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(name: str) -> str:
    """The name as SQLite compares it: without the case of ASCII letters."""
    return name.translate(_FOLD)


def fault_of(name: str, most: int = MAX_IDENTIFIER) -> str | None:
    """Why this cannot be an identifier; None where it can."""
    if not name:
        return "the name is empty"
    if len(name) > most:
        return f"the name has {len(name)} characters; {most} are allowed"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "the name holds a control character"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the name holds a lone surrogate"
    return None


def quoted(name: str) -> str:
    """The identifier in SQL (double quotes, doubled inside). Raises PlanError for what no identifier can hold."""
    if fault := fault_of(name, 4 * MAX_IDENTIFIER):
        raise PlanError(f"{name[:40]!r} cannot be an identifier: {fault}", hint="choose another name under `into:`")
    return '"' + name.replace('"', '""') + '"'


def checked_table(name: str) -> str:
    """The table's name where rows may be written to it. Raises PlanError."""
    if fault := fault_of(name):
        raise PlanError(f"{name[:40]!r} cannot be a table: {fault}", hint="choose another name: `into: {table: …}`")
    if fold(name).startswith(OURS) or fold(name) == "sync_state":
        raise PlanError(f"the table name {name!r} is reserved", hint="choose another one: `into: {table: …}`")
    return name
