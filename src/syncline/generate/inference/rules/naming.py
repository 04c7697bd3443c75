"""Names of streams, out of paths, and which list belongs to a record of which other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.rules.words import flat, segments, singular, words
from syncline.sources import Parent

MAX_NAME = 60
DULL = frozenset(
    {"api", "rest", "json", "public", "list", "search", "all", "get", "query", "index", "find", "results", "data"}
)
_VERSION = re.compile(r"v?\d+([._]\d+)*(beta|alpha)?\d*", re.I)
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


_EMPTY = frozenset(
    {
        "api", "apis", "rest", "restful", "the", "reference", "documentation", "docs", "doc", "public", "developer", "developers",
        "specification", "spec", "openapi", "swagger", "endpoints", "service", "services", "web", "http", "https", "www", "com",
        "for", "version", "a", "an", "of", "and", "to", "your", "open",
    }
)  # fmt: skip


def slug(title: str, fallback: str = "api") -> str:
    """A name for an integration out of a title: `shop` for “The Shop REST API (v2)”; lower case letters, digits and dashes."""
    first = re.split(r"[(\[|:–—]| - ", title, maxsplit=1)[0] or title
    found = [word for word in re.findall(r"[a-z0-9]+", first.lower()) if not _VERSION.fullmatch(word)]
    telling = [word for word in found if word not in _EMPTY] or found
    return "-".join(telling[:3])[:30].strip("-") or fallback


def host_name(host: str | None) -> str:
    """A name for the API of a host: `shop` for api.shop.example."""
    labels = (host or "").split(".")
    if len(labels) < 2 or labels[-1].isdigit():
        return "api"
    telling = [label for label in labels[:-1] if label not in ("api", "www", "rest", "com", "co", "public", "data")]
    return slug(telling[-1] if telling else labels[0])


def variable_prefix(name: str) -> str:
    """What names of environment variables begin with, for an API of this name."""
    plain = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "API"
    return f"API_{plain}" if plain[0].isdigit() else plain


def stream_names(paths: Sequence[str]) -> list[str]:
    """A name for each path, all different: its last telling segment, with more of the path where that is not enough."""
    parts = [_telling(path) for path in paths]
    depth = [1] * len(paths)
    names = [_joined(part, 1) for part in parts]
    for _ in range(6):
        counts = Counter(names)
        again = [at for at, name in enumerate(names) if counts[name] > 1 and depth[at] < len(parts[at])]
        if not again:
            break
        for at in again:
            depth[at] += 1
            names[at] = _joined(parts[at], depth[at])
    taken: Counter[str] = Counter()
    unique = []
    for name in names:
        taken[name] += 1
        unique.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return unique


def _telling(path: str) -> list[str]:
    found = [part for part in segments(path) if "{" not in part and not _VERSION.fullmatch(part)]
    telling = [part for part in found if part.lower() not in DULL]
    return ["_".join(words(part)) for part in telling or found] or ["records"]


def _joined(parts: list[str], depth: int) -> str:
    name = "_".join([*(singular(part) for part in parts[-depth:-1]), parts[-1]]) if depth > 1 else parts[-1]
    name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:MAX_NAME] or "records"
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def placeholders(path: str) -> list[str]:
    return PLACEHOLDER.findall(path)


def safe_path(path: str) -> str:
    """The path with placeholders that a file can have: {order-id} becomes {order_id}."""
    return PLACEHOLDER.sub(lambda match: "{" + safe_name(match[1]) + "}", path)


def safe_name(name: str) -> str:
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
    return plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"


Lists = dict[str, tuple[str, Guess[tuple[str, ...]]]]
"""The name and the primary key of each list, by its path."""


def find_parents(path: str, lists: Lists) -> tuple[Guess[tuple[Parent, ...]], list[str]]:
    """The list whose records fill a path's last placeholder, and the placeholders that nothing fills.

    That list fills the placeholders before it in its own path by its own parent, and hands them on.
    """
    names = placeholders(path)
    if not names:
        return Guess(None, 0.95, ("its path has no placeholders",)), []
    before = path[: path.index("{" + names[-1] + "}")].rstrip("/")
    _, missing = find_parents(before, lists)
    place, found = _list_at(before, lists)
    field, sure = _filled_by(names[-1], before, found[1]) if found is not None else (None, 0.0)
    if found is None or field is None:
        missing = [*missing, names[-1]]
    if missing or found is None:
        return unknown(*(f"no list gives the values of {{{name}}}" for name in missing)), missing
    parent = Parent.model_validate({"stream": found[0], "key": field, "as": safe_name(names[-1])})
    told = f"{{{names[-1]}}} follows the list {place}, whose records are identified by {field!r}"
    return Guess((parent,), sure if place == before else sure - 0.15, (told,)), []


def _list_at(before: str, lists: Lists) -> tuple[str, tuple[str, Guess[tuple[str, ...]]] | None]:
    """The list at a path, or one whose path only differs in number or in a word such as `search`: /user for /users/search."""
    if before in lists:
        return before, lists[before]
    wanted = _alike(before)
    place = next((place for place in lists if wanted and _alike(place) == wanted), "")
    return place, lists.get(place)


def _alike(path: str) -> tuple[str, ...]:
    steps = segments(path.lower())
    while steps and steps[-1] in DULL:
        steps.pop()
    return (*steps[:-1], singular(steps[-1])) if steps and "{" not in steps[-1] else ()


def _filled_by(name: str, before: str, key: Guess[tuple[str, ...]]) -> tuple[str | None, float]:
    if not key.known or not key.value:
        return None, 0.0
    field = key.value[0]
    plain, last = flat(name), flat(field.rpartition(".")[2])
    owner = flat(singular(before.rpartition("/")[2]))
    return field, 0.9 if plain in (last, owner + last) or last in ("id", "uuid") else 0.7
