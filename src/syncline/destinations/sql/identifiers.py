"""Names from outside that become identifiers: checked first, then quoted, never trusted."""

from __future__ import annotations

import string

from syncline.errors import PlanError

MAX_IDENTIFIER = 128
"""Characters; no table or column of a person's making comes near it."""

OURS = ("sqlite_", "syncline_", "pg_")
_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(name: str) -> str:
    """The name without the case of ASCII letters."""
    return name.translate(_FOLD)


def fault_of(name: str, most: int = MAX_IDENTIFIER, *, of_bytes: bool = False) -> str | None:
    """Why this cannot be an identifier; None where it can."""
    if not name:
        return "the name is empty"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "the name holds a control character"
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "the name holds a lone surrogate"
    length = len(encoded) if of_bytes else len(name)
    if length > most:
        return f"the name has {length} {'bytes' if of_bytes else 'characters'}; {most} are allowed"
    return None


def quoted(name: str, mark: str = '"') -> str:
    """The identifier in SQL: between quotation marks, doubled inside. Raises PlanError for what no identifier can hold."""
    if fault := fault_of(name, 4 * MAX_IDENTIFIER):
        raise PlanError(f"{name[:40]!r} cannot be an identifier: {fault}", hint="choose another name under `into:`")
    return mark + name.replace(mark, 2 * mark) + mark


def checked_table(name: str, fault: str | None) -> str:
    """The table's name where rows may be written to it. Raises PlanError."""
    if fault:
        raise PlanError(f"{name[:40]!r} cannot be a table: {fault}", hint="choose another name: `into: {table: …}`")
    if fold(name).startswith(OURS) or fold(name) == "sync_state":
        raise PlanError(f"the table name {name!r} is reserved", hint="choose another one: `into: {table: …}`")
    return name
