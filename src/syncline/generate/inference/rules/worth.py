"""Which lists are worth syncing."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.generate.inference.guess import Guess
from syncline.generate.inference.operation import Operation
from syncline.generate.inference.rules.words import fixed, flat, words
from syncline.generate.inference.schema import Schema

ASIDE = frozenset(
    {
        "health", "status", "ping", "version", "versions", "search", "autocomplete", "suggest", "suggestions", "typeahead", "count",
        "counts", "stats", "statistics", "metrics", "config", "configuration", "settings", "schema", "swagger", "docs", "enums",
        "lookup", "validate", "availability", "random", "me", "batch", "logs", "options", "metadata",
    }
)  # fmt: skip


def find_worth(
    operation: Operation, record: Schema | None, key: Guess[tuple[str, ...]], asks: Sequence[str], orphan: bool
) -> Guess[bool]:
    """Whether a person would want this list in a database, and why."""
    if operation.deprecated:
        return Guess(False, 0.9, ("it is deprecated",))
    last = fixed(operation.path)[-1:]
    named = set(words(last[0])) if last else set()
    if record is not None and record.scalar:
        return Guess(False, 0.8, ("its records are single values",))
    if asks:
        return Guess(False, 0.7, (f"it only answers to {', '.join(asks[:3])}, which nobody here knows",))
    if orphan:
        return Guess(False, 0.65, ("no list gives the values that its path needs",))
    if named & ASIDE or (last and flat(last[0]) in ASIDE):
        return Guess(False, 0.6, (f"{last[0]!r} is about the API rather than its data",))
    if operation.answer is None:
        return Guess(True, 0.4, (f"{operation.path} is named like a list, though nobody describes its answer",))
    if key.known and key.value:
        return Guess(True, 0.85, (f"it is a list of records that are identified by {key.value[0]!r}",))
    return Guess(True, 0.5, ("it is a list of records, though what identifies one is not known",))
