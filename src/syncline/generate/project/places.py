"""Where the rows go: a word or an address, as a block of the file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from syncline.errors import UsageError
from syncline.model.text import REFERENCE

_FILES = ("jsonl", "csv", "parquet")
_SERVERS = ("postgres", "postgresql", "mysql", "mariadb")
HINT = "--destination sqlite | duckdb | postgresql | mysql | jsonl | csv | parquet, or the address of a database"


def destination_block(answer: str | None, name: str) -> dict[str, Any]:
    """The destination; addresses with a password become a reference, whose value belongs into `.env`. Raises UsageError."""
    word = (answer or "sqlite").strip()
    if word in ("sqlite", "duckdb"):
        return {"kind": "sql", "url": f"{word}:///{name}.{'db' if word == 'sqlite' else word}"}
    if word in _SERVERS or (urlsplit(word).password and "://" in word):
        return {"kind": "sql", "url": "${DATABASE_URL}"}
    if word in _FILES:
        return {"kind": "file", "path": "data", "format": word}
    if word.startswith(("http://", "https://")):
        raise UsageError(
            "what another API wants to be sent cannot be found out",
            hint="begin with --destination sqlite; then write it by hand: docs/how-to/apis.md",
        )
    if "://" in word or REFERENCE.fullmatch(word):
        return {"kind": "sql", "url": word}
    if "." in word.rpartition("/")[2]:
        ending = word.rpartition(".")[2]
        if ending in ("db", "sqlite", "sqlite3"):
            return {"kind": "sql", "url": f"sqlite:///{word}"}
        if ending == "duckdb":
            return {"kind": "sql", "url": f"duckdb:///{word}"}
        if ending in _FILES and "{stream}" in word:
            return {"kind": "file", "path": word}
        if ending in _FILES:
            raise UsageError(f"{word} is one file, and each stream needs its own", hint=f"--destination {ending}")
    raise UsageError(f"{word!r} is no destination that is known", hint=HINT)


def write_mode(destination: dict[str, Any], *, keyed: bool, incremental: bool) -> str:
    """How a stream is written there. Files take no updates: what changed is appended, where each run has a file of its own."""
    if destination["kind"] != "file":
        return "upsert" if keyed else "replace"
    path = destination["path"]
    return "append" if keyed and incremental and ("{" not in path or "{run}" in path) else "replace"
