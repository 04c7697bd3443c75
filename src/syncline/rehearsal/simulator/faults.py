"""What goes wrong at an API, each as a small value that says when: drawn by a seed, and struck while the simulator answers.

A fault strikes at the `at`th call of its place and at the `times - 1` that follow; with `every`, again at every so many calls; and
of all these at a `share` that is drawn call by call.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar, Literal, Protocol

import msgspec

from syncline.model import kind_of
from syncline.rehearsal.simulator.door import unauthorised
from syncline.rehearsal.simulator.paging import Part
from syncline.rehearsal.simulator.values import GOLDEN, MASK, mixed
from syncline.rehearsal.simulator.wire import Answer, Call, refused
from syncline.rehearsal.simulator.world import World
from syncline.spec import Integration, Stream

Place = Literal["pages", "tokens", "writes"]
Fate = Literal["survived", "told"]
"""What has to become of a fault: the run goes on and gets everything; or it may end, if it says why and a later run gets it."""

FOREVER = 10**9


class Scene(Protocol):
    """What a fault can get at while a call is answered."""

    world: World
    skew: float
    take_away: Callable[[], None]

    @property
    def number(self) -> int: ...

    def expire(self) -> None: ...

    def revoke(self) -> None: ...


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """Base of all faults. Subclasses are known by their tag."""

    line: ClassVar[str]
    """What happens, for people."""
    fate: ClassVar[Fate] = "survived"
    repeats: ClassVar[bool] = False
    """Whether it strikes several times in a row in a mixture."""
    mixes: ClassVar[bool] = True
    """Whether it is drawn into mixtures."""
    wordless: ClassVar[bool] = False
    """Whether the answer is one of success that says nothing, so that of a creation nobody learns the id."""
    anywhere: ClassVar[bool] = False
    """Whether it may strike token requests and writes as well as pages."""
    of_records: ClassVar[bool] = False
    """Whether it happens to records, and not to answers."""
    at: int = 1
    times: int = 1
    every: int = 0
    share: float = 1.0
    place: Place = "pages"

    @property
    def name(self) -> str:
        return str(self.__struct_config__.tag)

    @classmethod
    def concerns(cls, integration: Integration) -> bool:
        """Whether it can do anything to this integration at all."""
        return True

    def strikes(self, count: int) -> bool:
        since = count - self.at
        if since < 0 or (since % self.every if self.every else since) >= self.times:
            return False
        return self.share >= 1.0 or mixed(count * GOLDEN & MASK) < self.share * MASK

    def befall(self, scene: Scene, stream: str, line: int, now: datetime) -> None:
        """What happens to the API before it answers."""

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        """The answer in the place of the right one; the call is not looked at."""
        return None

    def bend(self, scene: Scene, part: Part) -> None:
        """Another page than was asked for."""

    def afterwards(self, answer: Answer) -> Answer:
        """What becomes of the right answer on its way."""
        return answer


class Limited(Fault, frozen=True, kw_only=True, tag="429"):
    line = "429, and when to come back in seconds"
    anywhere: ClassVar[bool] = True
    repeats: ClassVar[bool] = True
    wait: int = 2

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        return refused(429, "too_many_requests", "slow down", {"Retry-After": str(self.wait)})


class LimitedUntil(Fault, frozen=True, kw_only=True, tag="429-date"):
    line = "429, and when to come back as a date"
    anywhere: ClassVar[bool] = True
    wait: int = 3

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        until = now.astimezone(UTC) + timedelta(seconds=self.wait)
        return refused(429, "too_many_requests", "slow down", {"Retry-After": format_datetime(until, usegmt=True)})


class LimitedSilently(Fault, frozen=True, kw_only=True, tag="429-silent"):
    line = "429 without a word about when to come back"
    anywhere: ClassVar[bool] = True
    repeats: ClassVar[bool] = True

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        return refused(429, "too_many_requests", "slow down")


class ServerError(Fault, frozen=True, kw_only=True, tag="500"):
    line = "500"
    anywhere: ClassVar[bool] = True
    repeats: ClassVar[bool] = True
    status: ClassVar[int] = 500

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        return Answer(status=self.status, headers=(("Content-Type", "text/plain"),), body=b"something is broken")


class BadGateway(ServerError, frozen=True, kw_only=True, tag="502"):
    line = "502"
    status: ClassVar[int] = 502


class Unavailable(ServerError, frozen=True, kw_only=True, tag="503"):
    line = "503"
    status: ClassVar[int] = 503


class TimeoutBefore(Fault, frozen=True, kw_only=True, tag="timeout-before"):
    line = "no answer; the request was not looked at"
    anywhere: ClassVar[bool] = True

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        return Answer(ending="silent")


class TimeoutAfter(Fault, frozen=True, kw_only=True, tag="timeout-after"):
    line = "no answer, though the request was accepted"
    anywhere: ClassVar[bool] = True

    def afterwards(self, answer: Answer) -> Answer:
        return answer.but(ending="silent")


class ResetBefore(Fault, frozen=True, kw_only=True, tag="reset-before"):
    line = "the connection is closed; the request was not looked at"
    anywhere: ClassVar[bool] = True
    repeats: ClassVar[bool] = True

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        return Answer(ending="hung up")


class ResetAfter(Fault, frozen=True, kw_only=True, tag="reset-after"):
    line = "the connection is closed, though the request was accepted"
    anywhere: ClassVar[bool] = True

    def afterwards(self, answer: Answer) -> Answer:
        return answer.but(ending="hung up")


class Cut(Fault, frozen=True, kw_only=True, tag="cut"):
    line = "the answer breaks off in its midst"
    anywhere: ClassVar[bool] = True
    repeats: ClassVar[bool] = True

    def afterwards(self, answer: Answer) -> Answer:
        return answer.but(ending="cut")


class Malformed(Fault, frozen=True, kw_only=True, tag="malformed"):
    line = "200 with half a document"
    anywhere: ClassVar[bool] = True

    def afterwards(self, answer: Answer) -> Answer:
        half = answer.body[: len(answer.body) // 2]
        if half.endswith(b"\n") or answer.body[len(half) :].startswith(b"\n"):
            half = half.rstrip(b"\n")[:-1]  # whole lines are a whole document where each is a record
        return answer.but(body=half)


class Empty(Fault, frozen=True, kw_only=True, tag="empty"):
    line = "200 without a body"
    anywhere: ClassVar[bool] = True
    wordless: ClassVar[bool] = True

    @classmethod
    def concerns(cls, integration: Integration) -> bool:
        return all(stream.format == "json" for stream in integration.streams)  # no lines are a list, too

    def afterwards(self, answer: Answer) -> Answer:
        return answer.but(body=b"")


class Html(Fault, frozen=True, kw_only=True, tag="html"):
    line = "200 with a page for people"
    anywhere: ClassVar[bool] = True

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        page = b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
        return Answer(headers=(("Content-Type", "text/html; charset=utf-8"),), body=page)


class Drip(Fault, frozen=True, kw_only=True, tag="drip"):
    line = "a byte a second, for ever"

    fate = "told"  # it costs a whole timeout.total, which is not spent twice

    def afterwards(self, answer: Answer) -> Answer:
        return answer.but(ending="dripping")


class TokenExpired(Fault, frozen=True, kw_only=True, tag="token-expired"):
    line = "the token runs out before its time"

    @classmethod
    def concerns(cls, integration: Integration) -> bool:
        auth = getattr(integration.source, "auth", None)
        return auth is not None and bool(auth.needs_token)

    def befall(self, scene: Scene, stream: str, line: int, now: datetime) -> None:
        scene.expire()


class TokenRevoked(TokenExpired, frozen=True, kw_only=True, tag="token-revoked"):
    line = "the token is taken back"

    def befall(self, scene: Scene, stream: str, line: int, now: datetime) -> None:
        scene.revoke()


class CredentialRefused(Fault, frozen=True, kw_only=True, tag="credential-refused"):
    line = "401: the credential is not taken any more"
    fate = "told"  # what cannot be renewed has to be put right by somebody
    mixes: ClassVar[bool] = False

    @classmethod
    def concerns(cls, integration: Integration) -> bool:
        return getattr(integration.source, "auth", None) is not None

    def instead(self, scene: Scene, call: Call, now: datetime) -> Answer | None:
        return unauthorised("these credentials are not known any more", "Bearer")


class ClockAhead(Fault, frozen=True, kw_only=True, tag="clock-ahead"):
    line = "the API's clock is ten minutes fast"
    seconds: ClassVar[float] = 600.0

    def befall(self, scene: Scene, stream: str, line: int, now: datetime) -> None:
        scene.skew = self.seconds


class ClockBehind(ClockAhead, frozen=True, kw_only=True, tag="clock-behind"):
    line = "the API's clock is ten minutes slow"
    seconds: ClassVar[float] = -600.0


class SamePage(Fault, frozen=True, kw_only=True, tag="same-page"):
    line = "the page before comes again"
    fate: ClassVar[Fate] = "told"  # where the last record is the cursor, it looks like a loop

    @classmethod
    def concerns(cls, integration: Integration) -> bool:
        return any(kind_of(type(stream.pagination)) != "none" for stream in integration.streams)

    def bend(self, scene: Scene, part: Part) -> None:
        if part.place == 0:
            return  # there is none before the first
        part.indices, _ = part.listing.take(part.listing.back(part.place, part.size), part.size)
        part.following, part.turn = part.place, part.turn + 1


class CursorLoop(SamePage, frozen=True, kw_only=True, tag="cursor-loop"):
    line = "the way on leads back to the page it stands on"

    def bend(self, scene: Scene, part: Part) -> None:
        if part.following is not None:
            part.following = part.place
        if kind_of(type(part.stream.pagination)) in ("offset", "page"):
            part.indices, _ = part.listing.take(0, part.size)  # the parameter is ignored


class Overlap(Fault, frozen=True, kw_only=True, tag="overlap"):
    line = "a page begins with the last record of the page before"
    mixes: ClassVar[bool] = False  # what a seed drew before there was this fault, it draws again

    @classmethod
    def concerns(cls, integration: Integration) -> bool:
        return any(map(_may_repeat, integration.streams))

    def bend(self, scene: Scene, part: Part) -> None:
        if _may_repeat(part.stream):
            before, _ = part.listing.take(part.listing.back(part.place, 1), 1)
            part.indices = self.repeated(scene, part, before if part.place else [])

    def repeated(self, scene: Scene, part: Part, before: list[int]) -> list[int]:
        return [*self._sound(scene, part, before), *part.indices]

    def _sound(self, scene: Scene, part: Part, indices: list[int]) -> list[int]:
        """Whatever of these is as it should be; a record that is refused would be refused twice."""
        first = part.line * part.stride
        return [index for index in indices if scene.world.is_sound(part.stream.name, first + index)]


class Twice(Overlap, frozen=True, kw_only=True, tag="twice"):
    line = "a record is on its page twice"

    def repeated(self, scene: Scene, part: Part, before: list[int]) -> list[int]:
        return [*self._sound(scene, part, part.indices)[:1], *part.indices]


class Inserted(Fault, frozen=True, kw_only=True, tag="inserted"):
    line = "records are added while the list is read"
    of_records = True

    def befall(self, scene: Scene, stream: str, line: int, now: datetime) -> None:
        if scene.world.streams[stream].single:
            return  # there is one record, or none
        for count in range(3):
            scene.world.insert(stream, line, _moment(now), first=count == 0)


class Changed(Fault, frozen=True, kw_only=True, tag="changed"):
    line = "records are changed while the list is read"
    of_records = True

    def befall(self, scene: Scene, stream: str, line: int, now: datetime) -> None:
        for number in _some(scene, stream, line, 3):
            scene.world.change(stream, number, _moment(now))


class Deleted(Fault, frozen=True, kw_only=True, tag="deleted"):
    line = "records are deleted while the list is read"
    of_records = True
    fate = "told"

    def befall(self, scene: Scene, stream: str, line: int, now: datetime) -> None:
        for number in _some(scene, stream, line, 2):
            scene.world.change(stream, number, _moment(now), gone=True)


class DestinationAway(Fault, frozen=True, kw_only=True, tag="destination-away"):
    line = "the destination's database is not to be had for a moment"
    mixes: ClassVar[bool] = False  # it takes a moment of real time

    @classmethod
    def concerns(cls, integration: Integration) -> bool:
        destination = integration.destination
        return kind_of(type(destination)) == "sql" and not str(getattr(destination, "url", "")).startswith("duckdb:")

    def befall(self, scene: Scene, stream: str, line: int, now: datetime) -> None:
        scene.take_away()


def _may_repeat(stream: Stream) -> bool:
    """Whether records can be told apart, and each page says where the next one is: who counts them would count one twice."""
    return bool(stream.primary_key) and kind_of(type(stream.pagination)) in ("cursor", "link", "next_url", "graphql")


def _moment(now: datetime) -> int:
    return round(now.timestamp() * 1000)


def _some(scene: Scene, stream: str, line: int, count: int) -> list[int]:
    """A few records of a list, by number, as the seed and the moment have it."""
    listing = scene.world.listing(stream, line)
    first = line * scene.world.stride(stream)
    picks = (mixed(scene.world.seed * GOLDEN + scene.number * 31 + pick & MASK) for pick in range(count))
    return [first + listing.index(pick % listing.places) for pick in picks] if listing.places else []


def fault_of(data: dict[str, Any]) -> Fault:
    """The fault that these data tell of, as `msgspec.to_builtins` gives them."""
    return msgspec.convert(data, faults()[data["kind"]])


def faults() -> dict[str, type[Fault]]:
    """Every fault there is, by name."""
    found: dict[str, type[Fault]] = {}
    waiting = [Fault]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            found[str(kind.__struct_config__.tag)] = kind
            waiting.append(kind)
    return found
