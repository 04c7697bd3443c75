"""The words that APIs use for the same things."""

from __future__ import annotations

import re

_JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


def words(name: str) -> tuple[str, ...]:
    """A name's words in lower case: `lastModifiedDate`, `last-modified_date` and `page[size]` alike."""
    return tuple(word.lower() for word in _JOINT.split(name) if word)


def flat(name: str) -> str:
    """A name without case and joints: `pageSize`, `page_size` and `page[size]` are `pagesize`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def singular(word: str) -> str:
    """One of them, as far as English is regular."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("uses", "us")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + instead
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2:
        return word[:-1]
    return {"people": "person", "children": "child", "men": "man", "women": "woman"}.get(word, word)


def plural(word: str) -> bool:
    """Whether the word names several."""
    return singular(word) != word


def segments(path: str) -> list[str]:
    """A path's segments, without an extension such as `.json`."""
    found = [segment for segment in path.partition("?")[0].split("/") if segment]
    if found and not found[-1].startswith("{"):
        found[-1] = re.sub(r"\.(json|xml|\{\w+\})$", "", found[-1])
    return found


DULL = frozenset({"all", "list", "search", "find", "query", "get", "index", "results", "lookup", "browse", "filter"})


def named(path: str) -> list[str]:
    """The segments that name what is read: no placeholders, and none that only say that it is looked for (all, search)."""
    found = fixed(path)
    telling = [segment for segment in found if segment.lower() not in DULL]
    return telling or found


def fixed(path: str) -> list[str]:
    """A path's segments that are no placeholders."""
    return [segment for segment in segments(path) if "{" not in segment]
