"""The API as the integration describes it: one call in, one answer out, at a time that somebody else tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

from syncline.http import Connection
from syncline.model import reveal
from syncline.rehearsal.simulator.door import Door
from syncline.rehearsal.simulator.doors import door_of
from syncline.rehearsal.simulator.faults import Fault, Place
from syncline.rehearsal.simulator.paging import Part, Unreadable, locate, phrase
from syncline.rehearsal.simulator.quota import TELLING, WAYS, Quota
from syncline.rehearsal.simulator.recipient import Recipient, recipient_of
from syncline.rehearsal.simulator.routes import Route, line_of, routes_of
from syncline.rehearsal.simulator.seen import Kind, Seen, Struck
from syncline.rehearsal.simulator.striking import Striking, answer_under
from syncline.rehearsal.simulator.wire import Answer, Call, answered, refused
from syncline.rehearsal.simulator.world import World
from syncline.resilience import Limits
from syncline.sources import HttpSource
from syncline.spec import Integration, Stream

KEPT = 20_000
"""Requests that are remembered one by one."""


class Simulator:
    """Answers calls. Pure but for its memory: it neither waits nor looks at a clock.

    `integration` is resolved; `world` is what the API has; `faults` strike as they say. `requests` counts calls, `seen` and
    `struck` tell of them.
    """

    def __init__(
        self, integration: Integration, world: World, faults: Sequence[Fault] = (), *, began: datetime
    ) -> None:
        source = integration.source
        assert isinstance(source, HttpSource)
        self.integration, self.world = integration, world
        self.door = _door(source, world.seed)
        way, telling = WAYS[world.seed % len(WAYS)], TELLING[world.seed // len(WAYS) % len(TELLING)]
        self.quota = Quota(source.rate_limit, way, telling)
        destination = integration.destination
        self.recipient = recipient_of(destination, list(integration.streams))
        self.other_door = _door(destination, world.seed) if isinstance(destination, Connection) else Door()
        self.other_quota = Quota(
            destination.rate_limit if isinstance(destination, Connection) else Limits(), self.quota.way
        )
        self.skew = 0.0
        self.take_away: Callable[[], None] = _nothing
        """Makes the destination unreachable for a moment; set by whoever knows where it is."""
        self.watch: Callable[[Seen], None] = _unwatched
        """Hears of each call when it has been answered."""
        self.requests = 0
        self.seen: list[Seen] = []
        self.struck: list[Struck] = []
        self.times: list[float] = []
        """When each call below base_url came, in seconds."""
        self.last_change = 0
        self._began = began
        self._routes = routes_of(source, world.streams)
        self._striking = Striking(faults)
        self._open: dict[str, list[Struck]] = {}

    @property
    def number(self) -> int:
        return self.requests

    def expire(self) -> None:
        self.door.expire()
        self.other_door.expire()

    def revoke(self) -> None:
        self.door.revoke()
        self.other_door.revoke()

    def handle(self, call: Call, now: datetime) -> Answer:
        """The answer, as it goes on its way."""
        self.requests += 1
        self.world.news.clear()
        server_time = now + timedelta(seconds=self.skew)
        door = next((door for door in (self.door, self.other_door) if door.owns(call)), None)
        if door is not None:
            return self._simple("token", "tokens", call, now, partial(door.serve, call, server_time))
        if self.recipient is not None and self.recipient.concerns(call):
            return self._simple("write", "writes", call, now, partial(self._write, self.recipient, call, now))
        self.times.append((now - self._began).total_seconds())
        for route in self._routes:
            named = route.fits(call)
            if named is not None:
                return self._stream(route, named, call, now)
        return self._told("other", call, refused(404, "not_found", f"there is nothing at {call.path}"), now, None)

    def _write(self, recipient: Recipient, call: Call, now: datetime) -> Answer:
        wait = self.other_quota.take(now.timestamp())
        if wait is not None:
            return refused(429, "too_many_requests", "slow down", {"Retry-After": str(int(wait) + 1)})
        barred = self.other_door.check(call, now + timedelta(seconds=self.skew))
        return recipient.handle(call) if barred is None else barred

    def _simple(self, kind: Kind, place: Place, call: Call, now: datetime, serve: Callable[[], Answer]) -> Answer:
        """A call that faults strike before or after it is served, and that is no page."""
        faults = self._striking.due(place)
        answer = answer_under(faults, self, call, now, serve)
        return self._told(kind, call, answer, now, faults[0] if faults else None)

    def _stream(self, route: Route, named: dict[str, str], call: Call, now: datetime) -> Answer:
        stream, line = route.stream, line_of(route.stream, named)
        faults = self._striking.due("pages")
        for fault in faults:
            fault.befall(self, stream.name, line or 0, now)
        answer = answer_under(faults, self, call, now, partial(self._answer, stream, line, call, now, faults))
        return self._told("page", call, answer, now, faults[0] if faults else None, stream=stream.name)

    def _answer(self, stream: Stream, line: int | None, call: Call, now: datetime, faults: Sequence[Fault]) -> Answer:
        wait = self.quota.take(now.timestamp())
        if wait is not None:
            told = {"Retry-After": str(int(wait) + 1)} if self.world.seed % 2 else {}
            return refused(429, "too_many_requests", f"at most {self.quota.rates[0]}", told)
        barred = self.door.check(call, now + timedelta(seconds=self.skew))
        if barred is not None:
            return barred
        if line is None:
            return refused(404, "not_found", f"there is nothing at {call.path}")
        part = Part(
            stream=stream,
            call=call,
            listing=self.world.listing(stream.name, line, self._since(stream, call)),
            stride=self.world.stride(stream.name),
            line=line,
            moment=round(now.timestamp() * 1000),
        )
        try:
            locate(part)
        except Unreadable as error:
            return refused(400, "invalid_cursor", str(error))
        for fault in faults:
            fault.bend(self, part)
        if stream.single and not part.indices:
            return refused(404, "not_found", "there is no such record")
        part.records = [self.world.record(stream.name, number) for number in part.numbers]
        document, headers = phrase(part)
        headers |= self.quota.headers(now.timestamp(), self.skew)
        if stream.format == "ndjson":
            body = b"".join(answered(record).body + b"\n" for record in document)
            lines = (("Content-Type", "application/x-ndjson"), *headers.items())
            return Answer(headers=lines, body=body, records=len(part.records))
        return answered(document, headers=headers).but(records=len(part.records))

    def _since(self, stream: Stream, call: Call) -> int | None:
        incremental, cursor = stream.incremental, self.world.blueprint(stream.name).cursor
        if incremental is None or cursor is None:
            return None
        if incremental.param is not None:
            value: Any = call.params.get(incremental.param)
        else:
            value = call.json or {}
            for step in (incremental.body_param or f"variables.{incremental.variable}").split("."):
                value = value.get(step) if isinstance(value, dict) else None
        return None if value is None else cursor.read(str(value))

    def _told(
        self, kind: Kind, call: Call, answer: Answer, now: datetime, fault: Fault | None, *, stream: str = ""
    ) -> Answer:
        """Write down what was asked and answered; the answer with the server's own headers."""
        at = (now - self._began).total_seconds()
        status = answer.status if answer.ending in ("whole", "cut", "dripping") else 0
        seen = Seen(
            number=self.requests,
            at=at,
            kind=kind,
            method=call.method,
            path=call.path,
            status=status,
            stream=stream,
            records=answer.records,
            fault=fault.name if fault else None,
            delay=answer.delay,
        )
        if len(self.seen) < KEPT or fault is not None:
            self.seen.append(seen)
        self.watch(seen)
        self._follow(call, at, status, fault)
        date = format_datetime(now + timedelta(seconds=self.skew), usegmt=True)
        return answer.but(headers=(("Date", date), ("X-Request-Id", f"r{self.requests}"), *answer.headers))

    def _follow(self, call: Call, at: float, status: int, fault: Fault | None) -> None:
        """Whoever asks the same address again shows what became of the faults before."""
        for struck in self._open.pop(call.path, []):
            struck.asked_again, struck.after = self.requests, at - struck.at
            struck.became = f"asked again after {struck.after:.1f} s: {status or 'no answer'}"
        if fault is not None:
            struck = Struck(
                fault=fault.name,
                line=fault.line,
                at=at,
                request=self.requests,
                status=status,
                records=list(self.world.news),
            )
            self.struck.append(struck)
            self._open.setdefault(call.path, []).append(struck)


def _nothing() -> None:
    """There is no destination to take away."""


def _unwatched(seen: Seen) -> None:
    """Nobody wants to know."""


def _door(connection: Connection, seed: int) -> Door:
    auth = connection.auth
    return door_of(auth.at(reveal(connection.base_url)) if auth else None, seed)
