"""Cursors: comparing them as what they mean, keeping them as the source wrote them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from syncline.errors import SpecError
from syncline.model import MISSING, Checkpoint, compile_path, encode_json
from syncline.sources.endpoint import Incremental

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|z|UTC|[+-]\d\d:?\d\d|[+-]\d\d)?$"
)
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)$")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SEEN = 100_000

Key = tuple[int, Any]
"""What a cursor is, and its value: TEXT below NUMBER below MOMENT, so that a broken time among good ones never wins."""

TEXT, NUMBER, MOMENT = 0, 1, 2


def cursor_key(raw: Any) -> Key:
    """What a raw cursor means, for comparison within one stream: a moment, a number or a text.

    A moment without a zone is taken as UTC. Digits beyond the microsecond count (R25).
    """
    if isinstance(raw, bool) or raw is None:
        raise ValueError(f"{raw!r} is not a cursor")
    if isinstance(raw, int | Decimal | float):
        return (NUMBER, raw)
    text = str(raw)
    if match := _MOMENT.match(text):
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        try:
            whole = min(int(second or 0), 59)
            moment = datetime(int(year), int(month), int(day), int(hour), int(minute), whole, tzinfo=UTC)
        except ValueError:
            return (TEXT, text)
        leap = 1 if second == "60" else 0
        seconds = (moment - _EPOCH) // timedelta(seconds=1) + leap - _offset(zone)
        return (MOMENT, seconds + (Decimal(f"0.{fraction}") if fraction else 0))
    if _DAY.match(text):
        return cursor_key(f"{text}T00:00:00Z")
    if _NUMBER.match(text):
        return (NUMBER, Decimal(text))
    return (TEXT, text)


def _offset(zone: str | None) -> int:
    if not zone or zone in ("Z", "z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def highest(values: Iterable[Any]) -> Any:
    """The greatest raw cursor of a page, or None. Where all are spelled alike, text order is time order, and quicker."""
    found = list(values)
    if not found:
        return None
    first = found[0]
    if isinstance(first, str):
        size, ending = len(first), first[-6:] if first[-3:-2] == ":" and len(first) > 20 else first[-1:]
        alike = set(map(type, found)) == {str} and all(len(text) == size and text.endswith(ending) for text in found)
        if alike and cursor_key(first)[0] == MOMENT and cursor_key(top := max(found))[0] == MOMENT:
            return top
    elif set(map(type, found)) == {int}:
        return max(found)
    return max(found, key=cursor_key)


def earlier(raw: Any, incremental: Incremental) -> Any:
    """The cursor to ask from: `lookback` before the committed one, in the source's own spelling."""
    kind, value = cursor_key(raw)
    if kind == NUMBER:
        steps = incremental.lookback_steps
        if incremental.lookback:
            # an epoch tells its unit by its magnitude: seconds until the year 5138, then milli- and microseconds
            steps += round(
                incremental.lookback * (1 if abs(value) < 1e11 else 1_000 if abs(value) < 1e14 else 1_000_000)
            )
        return str(value - steps) if isinstance(raw, str) else raw - steps
    if not incremental.lookback:
        return raw
    if kind == TEXT:
        raise SpecError(
            f"lookback cannot be taken off the cursor {str(raw)[:60]!r}, which is neither a time nor a number",
            hint=f"remove lookback from the stream's incremental block, or choose another cursor than {incremental.cursor}",
        )
    return _spell(str(raw), value - Decimal(str(incremental.lookback)))


def _spell(model: str, seconds: Decimal) -> str:
    match = _MOMENT.match(model)
    if match is None:
        return (_EPOCH + timedelta(seconds=int(seconds // 1))).strftime("%Y-%m-%d")
    second, fraction, zone = match[6], match[7], match[8]
    whole, part = int(seconds // 1), seconds % 1
    moment = _EPOCH + timedelta(seconds=whole + _offset(zone))
    text = moment.strftime(f"%Y-%m-%d{model[10]}%H:%M" + (":%S" if second else ""))
    if fraction:
        text += "." + f"{part:.{len(fraction)}f}"[2:]
    return text + (zone or "")


class CursorTracker:
    """Follows the cursor through one pass over a stream, and says what to commit at its end.

    A cursor later than the server's clock at the start of the pass is never committed: a record written while the pass ran
    may lie before it, on a page already read, and one dated 2099 would hide all that comes (R24).
    """

    def __init__(self, incremental: Incremental, checkpoint: Checkpoint, remember: bool) -> None:
        self.incremental = incremental
        self.committed = checkpoint.cursor
        self.running = checkpoint.running
        self.bound = cursor_key(checkpoint.started_at) if checkpoint.started_at else None
        self.remember = remember
        self.future = 0
        self.without = 0
        self._before = frozenset(checkpoint.seen)
        self._resumed = checkpoint.resume is not None
        self._seen: dict[str, Any] = {}
        self._read = compile_path(incremental.cursor)

    def observe(self, records: list[Any], read: Callable[[Any], Any] | None = None) -> list[Any]:
        """Take a page into account; gives back those of its records that were not delivered by an earlier pass.

        `read` gets the cursor out of records that are no plain objects.
        """
        read = read or self._read
        values = [value for value in map(read, records) if value is not MISSING and value is not None]
        self.without += len(records) - len(values)
        if values:
            top = highest(values)
            if self._later_than_server(top):
                believed = [value for value in values if not self._later_than_server(value)]
                self.future += len(values) - len(believed)
                top = highest(believed)
            if top is not None and (self.running is None or cursor_key(top) > cursor_key(self.running)):
                self.running = top
        return self._fresh(records) if self.remember else records

    def _later_than_server(self, raw: Any) -> bool:
        if self.bound is None:
            return False
        kind, value = cursor_key(raw)
        if kind == NUMBER and 1e9 < abs(value) < 1e17:
            scale = 1 if value < 1e11 else 1_000 if value < 1e14 else 1_000_000
            return bool(self.bound[1] < Decimal(value) / scale) and not self._is_a_counter(value)
        return kind == MOMENT and bool(value > self.bound[1])

    def _is_a_counter(self, value: Any) -> bool:
        # a number far from today's epoch, in whatever unit, is an id and not a time
        scale = 1 if value < 1e11 else 1_000 if value < 1e14 else 1_000_000
        assert self.bound is not None
        return abs(Decimal(value) / scale - Decimal(self.bound[1])) > 400 * 86_400

    def _fresh(self, records: list[Any]) -> list[Any]:
        fresh = []
        for record in records:
            digest = record_digest(record)
            if digest not in self._before and digest not in self._seen:
                fresh.append(record)
            value = self._read(record)
            self._seen[digest] = None if value is MISSING else value
        if len(self._seen) > MAX_SEEN:
            self._prune()
        return fresh

    def _prune(self) -> None:
        if self.running is not None:
            self._seen = {digest: self._seen[digest] for digest in boundary(self._seen, self.running, self.incremental)}

    def final(self) -> Any:
        """The raw cursor to commit once every page is written; it never goes back."""
        if self.running is None:
            return self.committed
        if self.committed is not None and cursor_key(self.committed) > cursor_key(self.running):
            return self.committed
        return self.running

    def seen(self, *, complete: bool) -> tuple[str, ...]:
        """Digests to remember: all of this pass and the last while it goes on; at its end those that will be read again.

        What a pass met before it was interrupted is known by its digest alone, and so all of that is kept until the next one.
        """
        if not self.remember:
            return ()
        if not complete or self._resumed:
            return tuple(self._before | self._seen.keys())
        self._prune()
        return tuple(self._seen) or tuple(self._before)


def boundary(seen: Mapping[str, Any], cursor: Any, incremental: Incremental) -> tuple[str, ...]:
    """Of digests, each with its record's cursor, those whose records a pass that begins at this cursor meets again."""
    if cursor is None:
        return tuple(seen)
    edge = cursor_key(earlier(cursor, incremental))
    return tuple(digest for digest, at in seen.items() if at is not None and cursor_key(at) >= edge)[-MAX_SEEN:]


def record_digest(record: Any) -> str:
    """A short name for a record's exact content."""
    try:
        data = encode_json(record)
    except UnicodeEncodeError:
        data = json.dumps(record, default=str).encode()
    return hashlib.blake2b(data, digest_size=9).hexdigest()
