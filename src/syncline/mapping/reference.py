"""The reference page of the transforms, written from their declarations, so that it cannot say anything else."""

from __future__ import annotations

import inspect

from syncline.mapping.chain import ChainError, parse_chain, parse_value
from syncline.mapping.mapping import FieldMapping, Mapping
from syncline.mapping.transform import Transform, known_transforms

ARROW = " → "
_HEAD = """# Transforms

<!-- Written by `python -m syncline.mapping.reference`; a test compares. Change the docstrings, not this page. -->

A chain is read from left to right: `trim | lower`. Null passes by every transform, except where it says otherwise.
How to write chains, arguments and functions of your own: [mapping](../how-to/mapping.md).
"""


def transforms_page() -> str:
    """The page in Markdown."""
    groups: dict[str, list[Transform]] = {}
    for found in known_transforms().values():
        if not found.foreign:
            groups.setdefault(found.group, []).append(found)
    return _HEAD + "".join(f"\n## {group}\n{''.join(map(_entry, groups[group]))}" for group in sorted(groups))


def examples(found: Transform) -> list[tuple[str, str]]:
    """The lines `value | chain → result` of a transform's docstring, as (expression, result)."""
    lines = (line.strip() for line in (inspect.getdoc(found.function) or "").splitlines())
    return [(left, right) for left, arrow, right in (line.partition(ARROW) for line in lines) if arrow]


def summary(found: Transform) -> str:
    """What a transform does: its docstring without the examples."""
    doc = inspect.getdoc(found.function) or ""
    return " ".join(line.strip() for line in doc.splitlines() if line.strip() and ARROW not in line)


def field_of(expression: str) -> Mapping:
    """A mapping whose only field is the expression `value | chain`: a way to run an example. Raises ChainError."""
    value, bar, chain = _split(expression)
    if not bar:
        raise ChainError(f"{expression!r} has no transform")
    return Mapping(fields=(FieldMapping(target="it", value=parse_value(value), transform=parse_chain(chain)),))


def _split(expression: str) -> tuple[str, str, str]:
    """At the first bar that leaves a value before it."""
    at = expression.find(" | ")
    while at >= 0:
        try:
            parse_value(expression[:at])
        except ChainError:
            at = expression.find(" | ", at + 1)
            continue
        return expression[:at], "|", expression[at + 3 :]
    return expression, "", ""


def _entry(found: Transform) -> str:
    notes = [summary(found)]
    if found.takes_null:
        notes.append("Called for null as well.")
    if found.inverse:
        notes.append(f"Way back: `{found.inverse}`.")
    shown = "".join(f"    {left}{ARROW}{right}\n" for left, right in examples(found))
    return f"\n### `{found.signature()}`\n\n{' '.join(notes)}\n\n{shown}"


if __name__ == "__main__":
    import sys

    sys.stdout.write(transforms_page())
