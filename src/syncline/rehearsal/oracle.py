"""What must be at the destination after a run, worked out from the world: every record once, in a version that was there.

Records and rows are read side by side, a thousand at a time, so that a million of them take no memory where they lie in order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

import msgspec

from syncline.destinations.api.forms import body_of
from syncline.mapping import Mapper, compile_mapping
from syncline.model import encode_json, read_path
from syncline.rehearsal.evidence import Blame, Verdict
from syncline.rehearsal.holdings import Holdings, Row
from syncline.rehearsal.simulator.blueprint import key_number
from syncline.rehearsal.simulator.world import Version, World
from syncline.spec import Stream, key_columns

TOGETHER = 1_000
Key = tuple[str, ...]
Meant = dict[str, Any]
PLAIN = frozenset({str, int, bool})


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What a run must have seen. `began` is in milliseconds since 1970; `complete` says that the run read from the start of its
    pass to the end and said so, and so has at least what was there when it began.
    """

    began: int
    complete: bool
    often: int = 1
    """How often one and the same version of a record may be there, where rows have no key that the destination knows."""


class Oracle:
    """Judges one stream's rows against its world."""

    def __init__(self, world: World, stream: Stream, state_key: str) -> None:
        self.world, self.stream, self.state_key = world, stream, state_key
        self._names: tuple[str, ...] = ()
        """The columns of a row that has no key."""
        self._mapper: Mapper = compile_mapping(stream.mapping, stream.where)
        into = stream.into
        self._key = (
            () if into.body is not None else tuple(name for name in key_columns(stream) if name not in into.omit)
        )

    def same(self, row: Row, meant: Meant) -> bool:
        return widened(row, meant) if self.world.has_spoilt(self.stream.name) else same(row, meant)

    def judge(self, holdings: Holdings, moment: Moment) -> Verdict:
        """The verdict on what is there now."""
        judging = _Judging(self, moment, Counter(self._letters(holdings)))
        rows, numbers = holdings.rows(self.stream), self.world.numbers(self.stream.name)
        while True:
            some, others = list(islice(rows, TOGETHER)), list(islice(numbers, TOGETHER))
            if not some and not others:
                break
            judging.take(some, others)
        return judging.end()

    def _letters(self, holdings: Holdings) -> Iterator[int]:
        for letter in holdings.letters(self.state_key):
            number = self.number_in(json.loads(letter.record))
            if number is not None:
                yield number

    def number_in(self, record: Any) -> int | None:
        """Which record this is, by any of its keys."""
        for path in self.world.blueprint(self.stream.name).keys:
            number = key_number(read_path(path, record))
            if number is not None:
                return number
        return None

    def meant(self, number: int, version: Version) -> Meant | None:
        """The row that this version becomes; None where the mapping rejects it, or filters it out."""
        return next(iter(self.mapped([(number, version)])))[2]

    def mapped(self, versions: list[tuple[int, Version]]) -> Iterator[tuple[int, Version, Meant | None, bool]]:
        """Each with the row that it becomes, if any, and whether the mapping rejects it."""
        records = [self._record(number, version) for number, version in versions]
        mapped = self._mapper.map(records)
        columns = mapped.batch.columns
        rows = {id(record): row for record, row in zip(mapped.sources, mapped.batch.rows, strict=True)}
        rejected = {id(reject.record) for reject in mapped.rejected}
        for (number, version), record in zip(versions, records, strict=True):
            row = rows.get(id(record))
            meant = None if row is None else self._sent(dict(zip(columns, row, strict=True)))
            yield number, version, meant, id(record) in rejected

    def _sent(self, row: Meant) -> Meant:
        """The row as it goes to another API, where the file says how."""
        into = self.stream.into
        if into.body is None and not into.omit:
            return row
        body: Meant = body_of(row, into.body, into.omit)
        self._names = tuple(sorted(body))
        return body

    def _record(self, number: int, version: Version) -> Any:
        name = self.stream.name
        record = self.world.record(name, number, version)
        if not self.stream.context_names or not isinstance(record, dict):
            return record
        return {**self.world.context(name, number // self.world.stride(name)), **record}

    def key_of(self, row: Row) -> Key:
        names = self._key or self._names or tuple(sorted(row))
        return tuple(_plain(row.get(name)) for name in names)


class _Judging:
    """Rows and records that have not met their like yet."""

    def __init__(self, oracle: Oracle, moment: Moment, letters: Counter[int]) -> None:
        self._oracle, self._moment, self._letters = oracle, moment, letters
        self._rows: dict[Key, list[Row]] = {}
        self._records: dict[Key, tuple[int, Version, Meant]] = {}
        self._again: Counter[Key] = Counter()
        """How often the newest version of a record was appended, where that is more than once."""
        self.verdict = Verdict()

    def take(self, rows: list[Row], numbers: list[int]) -> None:
        oracle, name = self._oracle, self._oracle.stream.name
        for row in rows:
            if row.get(self._column_of_the_dead) is None:
                self._rows.setdefault(oracle.key_of(row), []).append(row)
                self.verdict.found += 1
        newest = ((number, oracle.world.history(name, number)[-1]) for number in numbers)
        alive = [(number, version) for number, version in newest if not version.gone]
        for number, version, meant, rejected in oracle.mapped(alive):
            if meant is not None:
                self._records[oracle.key_of(meant)] = number, version, meant
                self.verdict.expected += 1
            elif rejected:
                self._refused(number, version)
        for key in self._rows.keys() & self._records.keys():
            self._compare(key, *self._records.pop(key), self._rows.pop(key))

    @property
    def _column_of_the_dead(self) -> str:
        deletes = self._oracle.stream.deletes
        return deletes.column if deletes is not None else ""

    def _refused(self, number: int, version: Version) -> None:
        if self._letters[number]:
            self.verdict.rejected += 1
        elif self._is_owed(number) and version.at <= self._moment.began:
            self.verdict.blame("lost", f"the dead letter of record {number + 1}")

    def _compare(self, key: Key, number: int, version: Version, meant: Meant, rows: list[Row]) -> None:
        write = self._oracle.stream.into.write
        if write == "append":
            self._compare_appended(key, number, version, meant, rows)
            return
        if len(rows) > (self._moment.often if write == "replace" else 1):
            self.verdict.blame("twice", ", ".join(key))
        if self._oracle.same(rows[0], meant):
            return
        history = self._oracle.world.history(self._oracle.stream.name, number)
        which = next((one for one in reversed(history) if self._is(rows[0], number, one)), None)
        if which is None:
            self.verdict.blame("wrong", f"{', '.join(key)}: {difference(rows[0], meant)}")
        elif self._letters[number]:
            self.verdict.rejected += 1  # the destination did not take the newer version, and it is told
        elif self._moment.complete and which.number < self._at_the_start(history).number:
            self.verdict.blame("stale", ", ".join(key))

    def _at_the_start(self, history: list[Version]) -> Version:
        """The version that the run found when it began."""
        return next((one for one in reversed(history) if one.at <= self._moment.began), history[0])

    def _is_owed(self, number: int) -> bool:
        """Whether the run must have seen the record."""
        world, name = self._oracle.world, self._oracle.stream.name
        return self._moment.complete and world.came(name, number) <= self._moment.began

    def _may_wait(self, key: Key, number: int) -> bool:
        """Whether a version that came while the run read is left to the next: an older one is there, or was not to be taken."""
        before = self._at_the_start(self._oracle.world.history(self._oracle.stream.name, number))
        return key in self._rows or self._oracle.meant(number, before) is None

    def _compare_appended(self, key: Key, number: int, version: Version, meant: Meant, rows: list[Row]) -> None:
        """Older versions may stand before and behind the newest; they are looked at in the end."""
        newest = [row for row in rows if self._oracle.same(row, meant)]
        if len(newest) > 1:
            self._again[key] = len(newest)
        if not newest:
            self._records[key] = number, version, meant
        if older := [row for row in rows if row not in newest]:
            self._rows[key] = older

    def _is(self, row: Row, number: int, version: Version) -> bool:
        meant = self._oracle.meant(number, version)
        return meant is not None and self._oracle.same(row, meant)

    def _was(self, row: Row, number: int) -> bool:
        history = self._oracle.world.history(self._oracle.stream.name, number)
        return any(self._is(row, number, version) for version in history)

    def end(self) -> Verdict:
        for key, (number, version, _) in self._records.items():
            if self._letters[number]:
                self.verdict.rejected += 1  # the destination could not take it
            elif self._is_owed(number) and (version.at <= self._moment.began or not self._may_wait(key, number)):
                what: Blame = "stale" if key in self._rows else "lost"
                self.verdict.blame(what, f"record {number + 1} ({', '.join(key)})")
        for key, count in self._again.items():
            if key not in self._rows and count > self._moment.often:
                self.verdict.blame("twice", ", ".join(key))
        if self._rows:
            self._explain()
        return self.verdict

    def _explain(self) -> None:
        """Rows whose record is not there now: of one that is gone, or changed beyond what the mapping takes, or of none."""
        stream, known = self._oracle.stream, self._known()
        for key, rows in self._rows.items():
            shown = ", ".join(key)
            if stream.into.write == "append" and key in known:
                self._look_at_appended(key, known[key], rows)
            elif key not in known:
                self.verdict.blame("unknown", shown)
            elif not self._is_gone(known[key]) and self._is_whole(known[key]):
                self.verdict.blame("twice", shown)
            elif not all(self._was(row, known[key]) for row in rows):
                self.verdict.blame("wrong", shown)
            elif self._moment.complete and self._must_be_gone(known[key]):
                self.verdict.blame("stale", f"{shown}, which was deleted")

    def _known(self) -> dict[Key, int]:
        """The records that the rows left over are of, in whatever version; all are looked through again, as it is a rare case."""
        world, name = self._oracle.world, self._oracle.stream.name
        found: dict[Key, int] = {}
        for number in world.numbers(name, ever=True):
            for version in world.history(name, number):
                meant = self._oracle.meant(number, version)
                if meant is not None and (key := self._oracle.key_of(meant)) in self._rows:
                    found[key] = number
        return found

    def _look_at_appended(self, key: Key, number: int, rows: list[Row]) -> None:
        history = self._oracle.world.history(self._oracle.stream.name, number)
        met = 0 if key in self._records or self._is_gone(number) else 1
        counts = Counter({history[-1].number: self._again.get(key, met)})
        for row in rows:
            which = next((one.number for one in reversed(history) if self._is(row, number, one)), None)
            if which is None:
                self.verdict.blame("wrong", ", ".join(key))
            else:
                counts[which] += 1
        if max(counts.values()) > self._moment.often:
            self.verdict.blame("twice", ", ".join(key))

    def _is_gone(self, number: int) -> bool:
        return self._oracle.world.went(self._oracle.stream.name, number) is not None

    def _is_whole(self, number: int) -> bool:
        """Whether the mapping takes the record as it is now, so that its row has been met before."""
        history = self._oracle.world.history(self._oracle.stream.name, number)
        return self._oracle.meant(number, history[-1]) is not None

    def _must_be_gone(self, number: int) -> bool:
        stream = self._oracle.stream
        gone = self._oracle.world.went(stream.name, number)
        if gone is None or gone > self._moment.began:
            return False
        deletes, own = stream.deletes, self._oracle.world.history(stream.name, number)[-1].gone
        told = deletes is not None and deletes.when is not None and own  # nobody tells of what was below another
        missed = deletes is not None and deletes.missing and stream.incremental is None
        return told or missed or stream.into.write == "replace"


def same(row: Row, meant: Meant) -> bool:
    """Whether a stored row says what was meant, however its columns spell it."""
    return all(_same(row.get(name), value) for name, value in meant.items())


def widened(row: Row, meant: Meant) -> bool:
    """The same where a column may have become one of JSON, because another record had a list or an object there."""
    return all(_same(row.get(name), value) or _as_json(row.get(name), value) for name, value in meant.items())


def _as_json(found: Any, value: Any) -> bool:
    try:
        if isinstance(found, str) and encode_json(value) == found.encode():
            return True
        return isinstance(found, str) and bool(_exact(json.loads(found, parse_float=Decimal)) == _exact(value))
    except (ValueError, TypeError):
        return False


def difference(row: Row, meant: Meant) -> str:
    """The first column that differs."""
    for name, value in meant.items():
        if not _same(row.get(name), value):
            return f"{name} is {str(row.get(name))[:60]!r}, not {str(value)[:60]!r}"
    return "nothing differs"


def _same(found: Any, value: Any) -> bool:
    if found.__class__ is value.__class__ and found.__class__ in PLAIN and found == value:
        return True
    if value is None:
        return found is None or found in ("", [])
    if found is None:
        return value in ("", [])
    if isinstance(value, bool):
        return str(found).lower() in (("1", "true") if value else ("0", "false"))
    if isinstance(value, int | float | Decimal):
        return _number(found) == _number(value)
    if isinstance(value, datetime):
        return _moment_of(found) == _moment_of(value)
    if isinstance(value, date):
        return str(found)[:10] == value.isoformat()
    if isinstance(value, list | dict | tuple):
        whole = isinstance(found, dict if isinstance(value, dict) else list | tuple)
        return _as_json(found, value) if isinstance(found, str) else whole and _alike(found, value)
    if isinstance(value, bytes):
        return bool(found == value)
    return bool(_plain(found) == value)


def _alike(found: Any, value: Any) -> bool:
    """Lists and objects that were put together from columns, each of which spells its values in its own way."""
    if isinstance(value, dict) and isinstance(found, dict):
        return all(_alike(found.get(name), inner) for name, inner in value.items())
    if isinstance(value, list | tuple) and isinstance(found, list | tuple):
        return len(found) == len(value) and all(map(_alike, found, value))
    return _same(found, value)


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _moment_of(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _exact(value: Any) -> Any:
    """Numbers by their value, so that 2.5 is 2.5 in whatever type it came; true stays apart from 1."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _exact(inner) for name, inner in value.items()}
    return [_exact(inner) for inner in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return str(_moment_of(value))
    return str(value)
