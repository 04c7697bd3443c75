"""What the simulated API has: records by their number, made when somebody asks for them, and what happened to them.

A record is a function of the seed, its stream, its number and its version, so that a million of them take no memory. Only what
changes, comes or goes is remembered.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from syncline.model import parse_path, put_path, read_path
from syncline.model.paths import Path
from syncline.rehearsal.simulator.blueprint import Blueprint, blueprint_of
from syncline.rehearsal.simulator.seen import Touched
from syncline.rehearsal.simulator.values import DAY, GOLDEN, MASK, mixed
from syncline.spec import Integration, Stream

BELOW = 64
"""Numbers that belong to each record of a parent stream for its children; fewer are used."""
APART = 10_000_000
"""The same for each partition."""
APART_FROM_OUTER = 10_000
"""The same for each record of an outer parent."""
HISTORY = 29 * DAY
"""How long before the rehearsal the oldest record was written, in milliseconds."""


def nested(outer: int, parent: int) -> int:
    """The number of a list below a record of one stream and, within that, one of another."""
    return outer * APART_FROM_OUTER + parent


Spoil = Callable[[Any], Any]
"""What is done to a record that is not as it should be."""


class Version(msgspec.Struct, frozen=True):
    """A state of a record, from `at` (milliseconds since 1970) on."""

    at: int
    number: int
    gone: bool = False


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A list at one moment: places, some of them empty. `early`, then `low` to `high`, then `late`; `gone` are not listed."""

    early: tuple[int, ...]
    low: int
    high: int
    late: tuple[int, ...]
    gone: tuple[int, ...]
    """Places without a record, ascending."""

    @property
    def places(self) -> int:
        return len(self.early) + self.high - self.low + len(self.late)

    @property
    def total(self) -> int:
        return self.places - len(self.gone)

    def index(self, place: int) -> int:
        if place < len(self.early):
            return self.early[place]
        place += self.low - len(self.early)
        return place if place < self.high else self.late[place - self.high]

    def place(self, index: int) -> int | None:
        """Where a record stands, or would stand if it were not gone."""
        if self.low <= index < self.high:
            return len(self.early) + index - self.low
        if index in self.early:
            return self.early.index(index)
        return len(self.early) + self.high - self.low + self.late.index(index) if index in self.late else None

    def skip(self, count: int) -> int:
        """The place behind the first `count` records."""
        place = count
        for gone in self.gone:
            if gone > place:
                break
            place += 1
        return place

    def back(self, place: int, count: int) -> int:
        """The place of the first of the `count` records before a place."""
        while place and count:
            place -= 1
            count -= place not in self.gone
        return place

    def take(self, place: int, most: int) -> tuple[list[int], int]:
        """The records from a place on, and the place behind the last of them."""
        found: list[int] = []
        gone = set(self.gone)
        while place < self.places and len(found) < most:
            if place not in gone:
                found.append(self.index(place))
            place += 1
        return found, place


class Collection:
    """One list of records: those of a stream, or of one parent's record or partition."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.made = size
        self.early: list[int] = []
        self.late: list[int] = []
        self.versions: dict[int, list[Version]] = {}

    def history(self, index: int, first: int) -> list[Version]:
        """All versions, oldest first; `first` is when it was written if nothing happened to it since."""
        return self.versions.get(index) or [Version(first, 0)]


def child_keys(streams: Iterable[Stream], name: str) -> list[str]:
    """The paths by which others read the records of this stream as their parents."""
    return [parent.key for stream in streams for parent in stream.parents if parent.stream == name]


class World:
    """The records of every stream. Moments are milliseconds since 1970."""

    def __init__(
        self,
        integration: Integration,
        seed: int,
        sizes: dict[str, int],
        now: datetime,
        blueprints: dict[str, Blueprint] | None = None,
    ) -> None:
        """`blueprints` are known from another world of the same integration, or filled for the next."""
        self.streams = {stream.name: stream for stream in integration.streams}
        self.seed, self.sizes = seed, sizes
        self.began = round(now.timestamp() * 1000)
        self.collections: dict[tuple[str, int], Collection] = {}
        self.news: list[Touched] = []
        """What happened to records since somebody emptied it."""
        self._spoilt: dict[tuple[str, int], list[tuple[int, Spoil]]] = {}
        """What was done to a record, each from which of its versions on."""
        self._salts = {name: mixed(seed * GOLDEN + place & MASK) for place, name in enumerate(self.streams)}
        self._blueprints = {} if blueprints is None else blueprints
        self._oldest = self.began - HISTORY - DAY

    def blueprint(self, name: str) -> Blueprint:
        if name not in self._blueprints:
            self._blueprints[name] = blueprint_of(self.streams[name], child_keys(self.streams.values(), name))
        return self._blueprints[name]

    # Records

    def stride(self, name: str) -> int:
        return BELOW if self.streams[name].parents else APART

    def record(self, name: str, number: int, version: Version | None = None) -> Any:
        """The record, in its newest version if none is named."""
        blueprint = self.blueprint(name)
        version = version or self.history(name, number)[-1]
        h = mixed(self._salts[name] ^ (number * GOLDEN + version.number * 0xD6E8FEB86659FD93 & MASK))
        record = blueprint.make(h, number)
        if blueprint.cursor is not None and not blueprint.cursor.by_key:
            record = _put(record, blueprint.cursor.path, blueprint.cursor.spell(version.at))
        if version.gone:
            record = self._buried(self.streams[name], record, version)
        for first, spoil in self._spoilt.get((name, number), ()):
            if version.number >= first:
                record = spoil(record)
        return record

    def history(self, name: str, number: int) -> list[Version]:
        line, index = divmod(number, self.stride(name))
        return self._known(name, line).history(index, self._written(name, index))

    def _written(self, name: str, index: int) -> int:
        """When a record that was always there was written; every fifth at the very moment of the one before it."""
        size = max(self.sizes.get(name, 1), 1)
        return self._oldest + (index - (index % 5 == 4)) * max(1, HISTORY // size)

    def _buried(self, stream: Stream, record: Any, version: Version) -> Any:
        when = stream.deletes.when if stream.deletes else None
        if isinstance(when, str):
            return put_path(record, when, version.at)
        for path, wanted in (when or {}).items():
            record = put_path(record, path, wanted[0] if isinstance(wanted, list | tuple) else wanted)
        return record

    # Lists

    def children(self, parent: int) -> int:
        """How many records a parent's record has below it."""
        return mixed(self.seed ^ parent * GOLDEN & MASK) % 4

    def size(self, name: str, line: int) -> int:
        stream = self.streams[name]
        if stream.single:
            return 1 if 404 not in stream.on_status else min(1, self.children(line))
        if stream.parents:
            return self.children(line)
        partitions = stream.partitions
        return self.sizes.get(name, 0) // (len(partitions.values) if partitions else 1)

    def listing(self, name: str, line: int, since: int | None = None) -> Listing:
        """The list as it is now; with `since`, of what was written from that moment (or has that key) on."""
        collection = self._known(name, line)
        cursor = self.blueprint(name).cursor
        low, early, late = 0, list(collection.early), list(collection.late)
        if since is not None and cursor is not None:
            if cursor.by_key:
                least = since - 1 - line * self.stride(name)
                low = max(0, min(least, collection.size))
                early, late = [one for one in early if one >= least], [one for one in late if one >= least]
            else:
                low = self._first_since(name, collection.size, since)
                newer = {index for index, versions in collection.versions.items() if versions[-1].at >= since}
                early = [index for index in early if index in newer]
                early += sorted(index for index in newer if index < low)
                late = [index for index in late if index in newer]
        listing = Listing(early=tuple(early), low=low, high=collection.size, late=tuple(late), gone=())
        if self._tells_deletions(name):
            return listing
        gone = [index for index, versions in collection.versions.items() if versions[-1].gone]
        places = sorted(place for place in map(listing.place, gone) if place is not None)
        return msgspec.structs.replace(listing, gone=tuple(places))

    def _first_since(self, name: str, size: int, since: int) -> int:
        cursor = self.blueprint(name).cursor
        coarse = 1000 if cursor is not None and cursor.kind == "epoch" else 1
        return bisect_left(
            range(size), since // coarse * coarse, key=lambda index: self._written(name, index) // coarse * coarse
        )

    def _tells_deletions(self, name: str) -> bool:
        deletes = self.streams[name].deletes
        return deletes is not None and deletes.when is not None

    def _known(self, name: str, line: int) -> Collection:
        return self.collections.get((name, line)) or Collection(self.size(name, line))

    def lines(self, name: str, *, ever: bool = False) -> Iterator[int]:
        """The lists that a stream is made of, by number; with `ever`, also those below parents that are gone."""
        stream = self.streams[name]
        partitions = len(stream.partitions.values) if stream.partitions else 1
        for parent in self._parents(stream, len(stream.parents), ever=ever):
            for partition in range(partitions):
                yield parent * partitions + partition

    def _parents(self, stream: Stream, depth: int, *, ever: bool) -> Iterator[int]:
        if depth == 0:
            yield 0
            return
        for outer in self._parents(stream, depth - 1, ever=ever):
            for number in self.numbers(stream.parents[depth - 1].stream, ever=ever):
                yield nested(outer, number)

    def numbers(self, name: str, *, ever: bool = False) -> Iterator[int]:
        """Every record that is there now, or (`ever`) that ever was, by number; in the lists' order."""
        for line in self.lines(name, ever=ever):
            listing = self.listing(name, line)
            first = line * self.stride(name)
            gone = set() if ever else set(listing.gone)
            for place in range(listing.places):
                if place not in gone:
                    yield first + listing.index(place)

    def context(self, name: str, line: int) -> dict[str, Any]:
        """What a list's records inherit: the keys of their parents, and the value of their partition."""
        stream = self.streams[name]
        found: dict[str, Any] = {}
        if stream.partitions is not None:
            line, place = divmod(line, len(stream.partitions.values))
            found[stream.partitions.name] = stream.partitions.values[place]
        for parent in reversed(stream.parents):
            line, number = divmod(line, APART_FROM_OUTER) if len(stream.parents) > 1 else (0, line)
            above = self.context(parent.stream, number // self.stride(parent.stream))
            record = self.record(parent.stream, number)
            found = {**above, parent.as_: read_path(parse_path(parent.key), record), **found}
        return found

    def came(self, name: str, number: int) -> int:
        """When a record came to be there: itself, and what it is below."""
        return max((self.history(above, one)[0].at for above, one in self._line_of(name, number)))

    def went(self, name: str, number: int) -> int | None:
        """When a record was gone, or what it is below; None for one that is there."""
        ends = [self.history(above, one)[-1] for above, one in self._line_of(name, number)]
        return min((version.at for version in ends if version.gone), default=None)

    def _line_of(self, name: str, number: int) -> Iterator[tuple[str, int]]:
        """A record, and all that it is below, each by its stream and number."""
        yield name, number
        stream, line = self.streams[name], number // self.stride(name)
        if stream.partitions is not None:
            line //= len(stream.partitions.values)
        for parent in reversed(stream.parents):
            line, above = divmod(line, APART_FROM_OUTER) if len(stream.parents) > 1 else (0, line)
            yield from self._line_of(parent.stream, above)

    # What happens

    def insert(self, name: str, line: int, at: int, *, first: bool) -> int:
        """A new record at the list's end, or as its first, where it is not in the order of its keys; gives its number."""
        collection = self._own(name, line)
        index = collection.made
        collection.made += 1
        collection.versions[index] = [Version(at, 0)]
        self.news.append(Touched(stream=name, number=line * self.stride(name) + index, version=0))
        if first and not self._is_asked_by_key(name):
            collection.early.insert(0, index)
        else:
            insort(collection.late, index)
        return line * self.stride(name) + index

    def change(self, name: str, number: int, at: int, *, gone: bool = False) -> None:
        """A new version of a record, or its end."""
        if gone or not self._is_asked_by_key(name):
            self._write(name, number, at, gone=gone)

    def _is_asked_by_key(self, name: str) -> bool:
        """Whether those who ask for what is new never see a change of what they have."""
        cursor = self.blueprint(name).cursor
        return cursor is not None and cursor.by_key

    def _write(self, name: str, number: int, at: int, *, gone: bool = False) -> None:
        line, index = divmod(number, self.stride(name))
        collection = self._own(name, line)
        versions = collection.history(index, self._written(name, index))
        if not versions[-1].gone:
            collection.versions[index] = [*versions, Version(at, versions[-1].number + 1, gone)]
            self.news.append(Touched(stream=name, number=number, version=versions[-1].number + 1))

    def spoil(self, name: str, number: int, at: int, how: Spoil) -> None:
        """Somebody saves the record as it should not be; it stays so."""
        if self._is_asked_by_key(name):
            return
        self._write(name, number, at)
        self._spoilt.setdefault((name, number), []).append((self.history(name, number)[-1].number, how))

    def is_sound(self, name: str, number: int) -> bool:
        """Whether the record is as it should be."""
        return (name, number) not in self._spoilt

    def has_spoilt(self, name: str) -> bool:
        return any(stream == name for stream, _ in self._spoilt)

    def _own(self, name: str, line: int) -> Collection:
        return self.collections.setdefault((name, line), Collection(self.size(name, line)))


def _put(record: Any, path: Path, value: Any) -> Any:
    """In place: records are made afresh for whoever asks."""
    inner = record
    for step in path[:-1]:
        inner = inner[step]
    if path:
        inner[path[-1]] = value
    return record
