"""From what a model refuses to what a person can mend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncline.model.names import nearest
from syncline.model.part import NESTED

Path = tuple[str | int, ...]

_EXPECTED = {
    "string_type": "text is expected; put it in quotes",
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "bool_type": "true or false is expected",
    "bool_parsing": "true or false is expected",
    "float_type": "a number is expected",
    "float_parsing": "a number is expected",
    "dict_type": "a block of 'name: value' lines is expected",
    "tuple_type": "a list is expected; begin each item with '- '",
    "list_type": "a list is expected; begin each item with '- '",
    "model_type": "a block of 'name: value' lines is expected",
    "missing": "is missing",
    "too_short": "must not be empty",
}


def mistakes_in(errors: Sequence[Mapping[str, Any]], fields_at: Any) -> Iterator[tuple[Path, str]]:
    """Every mistake as a path into the document and a sentence.

    `errors` are pydantic's; those of a part within a part are unfolded. `fields_at` gives the known field names at a path.
    """
    found: dict[tuple[Path, str], None] = {}
    unfolded = list(_unfold(errors, ()))
    for path, error in unfolded:
        # a list counts its good items only: with a mistake in one it would be called empty as well
        within = any(len(other) > len(path) and other[: len(path)] == path for other, _ in unfolded)
        if error["type"] != "too_short" or not within:
            found[(path, _sentence(path, error, fields_at))] = None
    yield from found


def _unfold(errors: Sequence[Mapping[str, Any]], at: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for error in errors:
        path = at + tuple(error["loc"])
        context = error.get("ctx") or {}
        if error["type"] == NESTED:
            yield from _unfold(context["errors"], path)
        else:
            yield path + tuple(context.get("loc", ())), error


def _sentence(path: Path, error: Mapping[str, Any], fields_at: Any) -> str:
    kind = str(error["type"])
    if kind == "extra_forbidden":
        known = fields_at(path[:-1])
        near = nearest(str(path[-1]), known)
        return (
            f"unknown key; did you mean {near!r}?"
            if near
            else f"unknown key; there is: {', '.join(sorted(known)[:14])}"
        )
    if kind == "literal_error":
        return f"must be {error['ctx']['expected']}"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        bound = next(iter(error["ctx"].values()))
        word = {"greater_than": "more than", "greater_than_equal": "at least", "less_than": "less than"}.get(
            kind, "at most"
        )
        return f"must be {word} {bound}"
    if kind == "string_pattern_mismatch":
        return "may have letters, digits, '_' and '-' only, and begins with a letter"
    if kind == "string_too_long":
        return f"is longer than {error['ctx']['max_length']} characters"
    return _EXPECTED.get(kind) or str(error["msg"])
