"""From rows to wishes: what each row wants to be at the destination, and in which order they may be granted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from syncline.destinations.values import misfit
from syncline.model import Batch, Rejected, decode_json, encode_json

_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """One row, as it is to be at the destination; or, where `gone`, the key of a record that is not to be there.

    `row` is what `content`, its JSON, reads back as: whoever comes after a crash sees the same. It became of the record at `number`
    among `sources`, which may still have to be decoded.
    """

    source_key: str
    content: str
    row: dict[str, Any]
    number: int = -1
    sources: Sequence[Any] | None = None
    gone: bool = False
    letter: int | None = None

    @property
    def record(self) -> Any:
        return self.row if self.sources is None else self.sources[self.number]


def wishes_of(
    batch: Batch,
    key: Sequence[str],
    *,
    records: Sequence[Any] | None = None,
    letters: Sequence[int] = (),
) -> tuple[list[Wish], list[Rejected]]:
    """The rows of a batch, and those that JSON cannot hold exactly or that have no key. `letters` are the rows' dead letters."""
    wishes: list[Wish] = []
    refused: list[Rejected] = []
    for number, values in enumerate(batch.rows):
        row = dict(zip(batch.columns, values, strict=True))
        fault = _fault(row, key)
        if fault is not None:
            record = row if records is None else records[number]
            refused.append(Rejected(path=fault[0], reason=fault[1], record=record))
            continue
        content = encode_json(row).decode()
        wish = Wish(
            number=number,
            source_key=encode_json([row[name] for name in key]).decode() if key else "",
            content=content,
            row=decode_json(content),
            sources=records,
            letter=letters[number] if len(letters) == len(batch.rows) else None,
        )
        wishes.append(wish)
    return wishes, refused


def _fault(row: dict[str, Any], key: Sequence[str]) -> tuple[str, str] | None:
    for name in key:
        if row.get(name) is None:
            return name, "the primary key is missing"
    for name, value in row.items():
        if reason := misfit(name, "text") or misfit(value, "json"):
            return name[:200], reason
    return None


def shown_key(source_key: str) -> str:
    """The key for people: without the brackets of JSON."""
    return source_key[1:-1] if source_key else "-"


def digest_of(value: Any) -> str:
    """Equal for what is sent equally, whatever the order of its keys."""
    return hashlib.sha256(_sorted.encode(value)).hexdigest()


def in_order(wishes: Iterable[Wish], match: str | None, size: int) -> Iterator[list[Wish]]:
    """Parts of at most `size`, one after the other, in none of which two wishes are about one record."""
    waiting: list[list[Wish]] = []
    turns: dict[tuple[str, str], int] = {}
    for wish in wishes:
        names = [("key", wish.source_key)] if wish.source_key else []
        if match is not None and wish.row.get(match) not in (None, ""):
            names.append(("match", str(wish.row[match]).casefold()))
        turn = max((turns.get(name, -1) + 1 for name in names), default=0)
        for name in names:
            turns[name] = turn
        while len(waiting) <= turn:
            waiting.append([])
        waiting[turn].append(wish)
    for part in waiting:
        yield from (part[start : start + size] for start in range(0, len(part), size))
