"""What only the real API can show: a few requests, and nothing written anywhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from syncline import events
from syncline.engine.opening import opened_reader, prepared
from syncline.errors import AuthError, BodyError, ForbiddenError, PaginationError, SynclineError
from syncline.model import MISSING, Checkpoint, Clock, Page, SystemClock, kind_of, parse_path, read_path
from syncline.pagination import Unpaged
from syncline.rehearsal.checklist.findings import many, some
from syncline.rehearsal.checklist.line import LIVE, Line, failed, held, not_applicable, not_tried
from syncline.sources import HttpSource, Reader
from syncline.sources.cursor import cursor_key
from syncline.spec import Stream

PAGES = 2
MOST_SKEW = 30.0
"""Seconds that clocks may differ (R11)."""
SLACK = 2.0
"""Seconds that a Date header and the way of an answer may account for."""
TOLD_LIMIT = re.compile(r"limit ([\d.]+).*?window ([\d.]+)")


class Looked(msgspec.Struct, kw_only=True):
    """What one stream showed: its first pages, the first page that was asked for by cursor, or what went wrong."""

    stream: Stream
    pages: list[Page] = []
    since: list[Any] | None = None
    """Records that came when the newest cursor was asked for."""
    error: SynclineError | None = None

    @property
    def records(self) -> list[Any]:
        return [record for page in self.pages for record in page.records]


class Seen(msgspec.Struct, kw_only=True):
    """Everything that was looked at. `skew` in seconds, positive where our clock is ahead."""

    source: HttpSource
    looked: list[Looked] = []
    requests: int = 0
    tokens: int = 0
    announced: list[tuple[str, str]] = []
    """Limits that answers told: where, and what."""
    skew: float | None = None

    def __call__(self, scope: events.Scope, event: events.Event) -> None:
        if isinstance(event, events.RequestSent):
            self.requests += 1
        elif isinstance(event, events.TokenObtained):
            self.tokens += 1
        elif isinstance(event, events.LimitLearned):
            self.announced.append((event.source, event.detail))


async def look(
    file: str | Path,
    *,
    lines: Collection[str] = tuple(LIVE),
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> tuple[Line, ...]:
    """Ask the API for two pages of each stream, and for what is newer than the newest record; judge these lines.

    Raises SpecError, AuthError for credentials that are missing, and what keeps every stream from being asked at all.
    """
    clock = clock or SystemClock()
    ready = await prepared(Path(file), environment, None)
    source = ready.integration.source
    assert isinstance(source, HttpSource)
    seen = Seen(source=source)
    with events.listening(seen), events.within(integration=ready.integration.name):
        async with opened_reader(ready.integration, clock) as reader:
            looking = _Looking(reader, clock, seen)
            for stream in ready.streams:
                seen.looked.append(await looking.at(stream))
    errors = [one.error for one in seen.looked if one.error is not None]
    if len(errors) == len(seen.looked) and not any(
        isinstance(error, AuthError | ForbiddenError | BodyError | PaginationError) for error in errors
    ):
        raise errors[0]
    judged = (JUDGES[name](seen) for name in LIVE if name in lines)
    return tuple(
        msgspec.structs.replace(line, again=f"syncline check {shlex.quote(str(file))} --live --only {line.name}")
        for line in judged
    )


class _Looking:
    def __init__(self, reader: Reader, clock: Clock, seen: Seen) -> None:
        self._reader, self._clock, self._seen = reader, clock, seen

    async def at(self, stream: Stream) -> Looked:
        found = Looked(stream=stream)
        try:
            with events.within(stream=stream.name):
                await self._read(stream, Checkpoint(), found.pages, PAGES)
                newest = _newest(found)
                if newest is not None:
                    since: list[Page] = []
                    await self._read(stream, Checkpoint(cursor=newest), since, 1)
                    found.since = [record for page in since for record in page.records]
        except SynclineError as error:
            found.error = error.at(stream=stream.name)
        return found

    async def _read(self, stream: Stream, checkpoint: Checkpoint, into: list[Page], most: int) -> None:
        """The first pages, as far as they come."""
        async with aclosing(self._reader.pages(stream, checkpoint)) as pages:
            async for page in pages:
                if page.server_time is not None and self._seen.skew is None:
                    self._seen.skew = (self._clock.now() - page.server_time).total_seconds()
                if page.last:
                    break
                into.append(page)
                if len(into) == most:
                    break


def _cursors(found: Looked, records: list[Any]) -> list[Any]:
    incremental = found.stream.incremental
    assert incremental is not None
    path = parse_path(incremental.cursor)
    return [read_path(path, record) for record in records]


def _newest(found: Looked) -> Any:
    if found.stream.incremental is None:
        return None
    known = [value for value in _cursors(found, found.records) if value is not MISSING and value is not None]
    try:
        return max(known, key=cursor_key, default=None)
    except (TypeError, ValueError):
        return None


def _refused(seen: Seen, *kinds: type[SynclineError]) -> list[str]:
    return [f"{one.stream.name}: {one.error.what}" for one in seen.looked if isinstance(one.error, kinds)]


def credentials(seen: Seen) -> Line:
    auth = seen.source.auth
    if auth is None:
        return not_applicable("credentials", "the file names none")
    refused = _refused(seen, AuthError)
    if refused:
        return failed("credentials", *some(refused), fix="syncline doctor FILE; or syncline login FILE")
    tokens = f", with {many(seen.tokens, 'token')} obtained" if seen.tokens else ""
    return held("credentials", f"{kind_of(type(auth))} was accepted in {many(seen.requests, 'request')}{tokens}")


def scopes(seen: Seen) -> Line:
    if seen.source.auth is None:
        return not_applicable("scopes", "the file names no credentials")
    refused = _refused(seen, ForbiddenError)
    asked = getattr(seen.source.auth, "scopes", ())
    if refused:
        return failed("scopes", *some(refused), fix=f"ask for more rights than [{', '.join(asked)}]" if asked else None)
    if _refused(seen, AuthError):
        return not_tried("scopes", "the credentials were refused")
    right = f" with [{', '.join(asked)}]" if asked else ""
    readable = sum(bool(one.pages) or one.error is None for one in seen.looked)
    if not readable:
        return not_tried("scopes", "no stream could be read")
    return held("scopes", f"{readable} of {many(len(seen.looked), 'stream')} could be read{right}")


def pagination(seen: Seen) -> Line:
    wrong = _refused(seen, PaginationError)
    followed, alone = [], []
    for one in seen.looked:
        kind = kind_of(type(one.stream.pagination))
        lengths = [len(page.records) for page in one.pages]
        if one.error is not None or not lengths:
            continue
        first, total = one.pages[0], one.pages[0].total
        if isinstance(one.stream.pagination, Unpaged):
            if total is not None and total > lengths[0] and not one.stream.parents:
                wrong.append(
                    f"{one.stream.name}: {lengths[0]} of {total} records came, and the file names no pagination"
                )
        elif len(lengths) < PAGES:
            if total is not None and total > lengths[0] and not one.stream.parents:
                wrong.append(
                    f"{one.stream.name}: {lengths[0]} of {total} records came, and {kind} found no second page"
                )
            else:
                alone.append(one.stream.name)
        elif first.records == one.pages[1].records:
            wrong.append(f"{one.stream.name}: the second page is the first one again; {kind} is not what this API does")
        else:
            followed.append(f"{one.stream.name}: {' + '.join(map(str, lengths))} records by {kind}")
    if wrong:
        return failed("pagination", *some(wrong), fix="compare the pagination block with the API's documents")
    if followed:
        return held("pagination", *some(followed))
    if alone:
        return not_applicable("pagination", f"no list has a second page today: {', '.join(alone)}")
    return not_tried("pagination", "no list could be read")


def records(seen: Seen) -> Line:
    wrong = [
        f"{one.stream.name}: {one.error.what}{'; ' + one.error.hint if one.error.hint else ''}"
        for one in seen.looked
        if isinstance(one.error, BodyError)
    ]
    if wrong:
        return failed("records", *some(wrong))
    found = [
        f"{one.stream.name}: {many(len(one.records), 'record')} at {_place(one.stream)}"
        for one in seen.looked
        if one.records
    ]
    empty = [one.stream.name for one in seen.looked if not one.records]
    if not found:
        return not_tried("records", f"no record came: {', '.join(empty)}")
    return held("records", *some(found), f"no records in {', '.join(empty)}" if empty else "")


def _place(stream: Stream) -> str:
    return stream.records or "the root"


def key(seen: Seen) -> Line:
    wrong, found = [], []
    for one in seen.looked:
        paths = [parse_path(path) for path in one.stream.primary_key]
        if not paths or not one.records or one.stream.parents:
            continue
        keys = [tuple(read_path(path, record) for path in paths) for record in one.records]
        name = ", ".join(one.stream.primary_key)
        missing = sum(any(part is MISSING or part is None for part in each) for each in keys)
        twice = len(keys) - len(set(map(repr, keys)))
        if missing:
            wrong.append(f"{one.stream.name}: {missing} of {len(keys)} records have no {name}")
        elif twice:
            wrong.append(f"{one.stream.name}: {twice} of {len(keys)} records have the {name} of another")
        else:
            found.append(f"{one.stream.name}: {len(keys)} records, {len(keys)} different {name}")
    if wrong:
        return failed("key", *some(wrong), fix="name the field (or fields) that identify a record in primary_key")
    return held("key", *some(found)) if found else not_applicable("key", "no stream with a primary_key showed records")


def cursor(seen: Seen) -> Line:
    judged = [_cursor(one) for one in seen.looked if one.stream.incremental is not None and one.records]
    if not judged:
        return not_applicable("cursor", "no incremental stream showed records")
    wrong = [what for good, what in judged if not good]
    if wrong:
        return failed("cursor", *some(wrong), fix="correct the incremental block; or read everything each time")
    return held("cursor", *some([what for _, what in judged]))


def _cursor(found: Looked) -> tuple[bool, str]:
    stream, incremental = found.stream, found.stream.incremental
    assert incremental is not None
    values = _cursors(found, found.records)
    missing = sum(value is MISSING or value is None for value in values)
    if missing:
        return False, f"{stream.name}: {missing} of {len(values)} records have no {incremental.cursor}"
    keys = [cursor_key(value) for value in values]
    if len({kind for kind, _ in keys}) > 1:
        return False, f"{stream.name}: {incremental.cursor} is now a time, now something else"
    newest = max(keys)
    if found.since is not None and not incremental.lookback and not incremental.lookback_steps:
        older = sum(cursor_key(value) < newest for value in _cursors(found, found.since) if value is not MISSING)
        if older and len(found.since) > 1:
            where = incremental.param or incremental.body_param or incremental.variable
            return False, f"{stream.name}: {where} changes nothing: {older} records older than asked for came"
    order = "ascending" if all(a <= b for a, b in pairwise(keys)) else "in no order: safe behind the last page"
    newer = "" if found.since is None else f"; asked from the newest on, {many(len(found.since), 'record')} came"
    return True, f"{stream.name}: {incremental.cursor} in {len(values)} records, {order}{newer}"


def announced(seen: Seen) -> Line:
    if not seen.announced:
        return not_applicable("announced", "the API announces no limits")
    told = list(dict.fromkeys(f"{source}: {detail}" for source, detail in seen.announced))
    wrong = []
    for _, detail in seen.announced:
        match = TOLD_LIMIT.search(detail)
        if match:
            allowed = float(match[1]) / float(match[2])
            slow = [rate for rate in seen.source.rate_limit.limits if rate.amount / rate.per <= allowed]
            if seen.source.rate_limit.limits and not slow and not seen.source.rate_limit.learn:
                wrong.append(f"{detail}: the file allows more, and learn is off")
    if wrong:
        return failed("announced", *some(wrong), fix="rate_limit: {learn: true}, or a lower limit")
    limits = ", ".join(map(str, seen.source.rate_limit.limits)) or "none"
    return held("announced", *some(told), f"the file says {limits}; the lower of both is kept")


def clock(seen: Seen) -> Line:
    if seen.skew is None:
        return not_applicable("clock", "the API does not say what time it is")
    seconds = abs(seen.skew)
    way = "ahead of" if seen.skew > 0 else "behind"
    if seconds > MOST_SKEW:
        return failed("clock", f"this machine is {seconds:.0f} s {way} the API", fix="timedatectl set-ntp true")
    return held("clock", "they agree" if seconds < SLACK else f"this machine is {seconds:.0f} s {way} the API")


JUDGES = {
    "credentials": credentials,
    "scopes": scopes,
    "pagination": pagination,
    "records": records,
    "key": key,
    "cursor": cursor,
    "announced": announced,
    "clock": clock,
}
