"""Runs with one protection switched off each, and the line of the checklist that has to notice.

A mutant changes one thing by the seams that the code has. Imported in another process with MUTANT in its environment, this module
makes that mutant of it: for runs that are killed.
"""

from __future__ import annotations

import functools
import os
import struct
import sys
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import msgspec

import syncline.cli.logs
import syncline.http.connection
import syncline.http.layers
import syncline.http.limiting
import syncline.resilience.limiter
import syncline.resilience.retry
from syncline import events
from syncline.auth import Bearer, OAuth2
from syncline.destinations.api.dialects import RestDialect
from syncline.destinations.sql.sink import SqlWriter
from syncline.engine.gathering import Gathered
from syncline.engine.stream_run import StreamRun
from syncline.errors import AuthError, BodyError, BrokenBodyError, PartialError
from syncline.http.tokens.current import Tokens
from syncline.mapping import Mapping, compile_mapping
from syncline.model import Batch, Checkpoint, Page, Rate, Request, Response
from syncline.pagination import Cursor, Watch
from syncline.resilience import Again, Breaker, Retry
from syncline.secrets import Redactor
from syncline.sources import Reader, listing
from syncline.sources.cursor import CursorTracker
from syncline.state import Owner
from syncline.state.ledger import Ledger
from syncline.state.store import SqlStateStore


class Patch(Protocol):
    """`monkeypatch.setattr`, or what does the same."""

    def __call__(self, target: Any, name: str, value: Any, /) -> None: ...


class Mutant(NamedTuple):
    line: str
    mutate: Callable[[Patch], None]
    variant: str = "plain"
    """Which integration shows it."""


ENGINE = sys.modules["syncline.engine.run"]
"""The module; the package has a function of its name."""

MUTANTS: dict[str, Mutant] = {}


def mutant(line: str, variant: str = "plain") -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def enter(mutate: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[mutate.__name__.replace("_", " ")] = Mutant(line, mutate, variant)
        return mutate

    return enter


# tokens


@mutant("tokens", "oauth")
def no_refresh(patch: Patch) -> None:
    patch(OAuth2, "refused", lambda self, response: False)


@mutant("tokens", "oauth")
def a_token_for_every_request(patch: Patch) -> None:
    async def fresh(self: Tokens) -> Any:
        return await self._together(None, None)

    patch(Tokens, "fresh", fresh)


@mutant("tokens", "oauth")
def refreshes_and_does_not_use_it(patch: Patch) -> None:
    async def renewed(self: Tokens, refused: Any, challenge: Any) -> Any:
        await self._together(refused, challenge)
        return refused

    patch(Tokens, "renewed", renewed)


@mutant("tokens")
def takes_a_refusal_for_the_end_of_the_list(patch: Patch) -> None:
    retried = syncline.http.layers.retried

    def lenient(send: Any, rule: Any, clock: Any) -> Any:
        strict = retried(send, rule, clock)

        async def sending(request: Request) -> Response:
            try:
                return await strict(request)
            except AuthError:
                empty = Response(status=200, headers=Response.headers_of({}), body=b"", url=request.url, elapsed=0.0,
                                 received_at=clock.monotonic())  # fmt: skip
                return msgspec.structs.replace(empty, document={"data": []})

        return sending

    patch(syncline.http.layers, "retried", lenient)


# limits


@mutant("limits")
def no_limiter(patch: Patch) -> None:
    patch(syncline.http.layers, "limited", lambda send, gate, clock: send)
    patch(syncline.http.layers, "counted", lambda send, gate, clock: send)


@mutant("limits")
def limiter_outside_retry(patch: Patch) -> None:
    """One leave for all attempts of a request."""
    retried, limited, counted = (getattr(syncline.http.layers, name) for name in ("retried", "limited", "counted"))
    gates: list[Any] = []

    def once(send: Any, gate: Any, clock: Any) -> Any:
        gates.append(gate)
        counting = counted(send, gate, clock)

        async def sending(request: Request) -> Response:
            return await (send if syncline.http.limiting._leave.get() is None else counting)(request)

        return sending

    def both(send: Any, rule: Any, clock: Any) -> Any:
        return limited(retried(send, rule, clock), gates[-1], clock)

    async def never(gate: Any, request: Request, clock: Any) -> None:
        """Whoever signs does not wait either."""

    patch(syncline.http.layers, "counted", once)
    patch(syncline.http.layers, "limited", lambda send, gate, clock: send)
    patch(syncline.http.layers, "retried", both)
    patch(syncline.http.connection, "ready", never)


@mutant("limits")
def takes_twice_what_is_allowed(patch: Patch) -> None:
    opened = syncline.http.connection.open_keeper

    def generous(limits: Any, *rest: Any) -> Any:
        double = tuple(Rate(rate.amount * 2, rate.per) for rate in limits.limits)
        return opened(limits.model_copy(update={"limits": double}), *rest)

    patch(syncline.http.connection, "open_keeper", generous)


# retries


def _never(*arguments: Any) -> None:
    return None


@mutant("retries")
def no_retry(patch: Patch) -> None:
    patch(Retry, "after_answer", _never)
    patch(Retry, "after_error", _never)


@mutant("retries")
def no_retry_without_an_answer(patch: Patch) -> None:
    patch(Retry, "after_error", _never)


@mutant("retries")
def no_backoff(patch: Patch) -> None:
    patch(Retry, "backoff", lambda self, attempt, chance: 0.0)


@mutant("retries")
def ignores_retry_after(patch: Patch) -> None:
    def deaf(response: Response, now: Any) -> float:
        return 0.1

    patch(syncline.resilience.retry, "retry_after", deaf)
    patch(syncline.resilience.limiter, "retry_after", deaf)


@mutant("retries")
def cannot_read_a_date_in_retry_after(patch: Patch) -> None:
    told = syncline.resilience.retry.retry_after

    def seconds_only(response: Response, now: Any) -> float | None:
        text = response.headers.get("Retry-After", "")
        return told(response, now) if not text or text.isdigit() else 0.1

    patch(syncline.resilience.retry, "retry_after", seconds_only)
    patch(syncline.resilience.limiter, "retry_after", seconds_only)


@mutant("retries")
def breaker_never_opens(patch: Patch) -> None:
    patch(Breaker, "failed", _never)


@mutant("retries")
def retries_without_end(patch: Patch) -> None:
    patch(Breaker, "failed", _never)
    patch(
        Retry,
        "after_answer",
        lambda self, request, response, now, chance: (
            Again(seconds=1.0, reason="again", spends=False) if response.status >= 429 else None
        ),
    )


@mutant("retries", "api")
def repeats_a_post_blindly(patch: Patch) -> None:
    patch(RestDialect, "idempotent", lambda self, operation, *, many: True)


# pages


@mutant("pages")
def no_loop_detection(patch: Patch) -> None:
    patch(Watch, "check", _never)


@mutant("pages")
def first_page_only(patch: Patch) -> None:
    patch(Cursor, "advance", _never)


@mutant("pages")
def swallows_html_with_200(patch: Patch) -> None:
    decode = syncline.http.layers.decoded

    def lenient(send: Any, rule: Any, clock: Any) -> Any:
        strict = decode(send, rule, clock)

        async def sending(request: Request) -> Response:
            seen: list[Response] = []

            async def noted(inner: Request) -> Response:
                seen.append(await send(inner))
                return seen[-1]

            try:
                return await decode(noted, rule, clock)(request)
            except BrokenBodyError:
                return msgspec.structs.replace(seen[-1], document={"data": []})

        return sending if strict else send

    patch(syncline.http.layers, "decoded", lenient)


@mutant("pages")
def takes_a_missing_list_for_an_empty_one(patch: Patch) -> None:
    found = listing.records_of

    def lenient(endpoint: Any, path: str | None, response: Response) -> list[Any]:
        try:
            return found(endpoint, path, msgspec.structs.replace(response, document={}))
        except BodyError:
            return []

    patch(listing, "records_of", lenient)
    patch(listing, "shaped_decoder", _never)


@mutant("pages", "append")
def no_dedupe_at_the_boundary(patch: Patch) -> None:
    pages = Reader.pages

    def forgetful(self: Reader, endpoint: Any, checkpoint: Any, *, remember: bool = False, **rest: Any) -> Any:
        return pages(self, endpoint, msgspec.structs.replace(checkpoint, seen=()), remember=False, **rest)

    patch(Reader, "pages", forgetful)


@mutant("pages")
def cursor_rounded_up(patch: Patch) -> None:
    final = CursorTracker.final

    def rounded(self: CursorTracker) -> Any:
        raw = final(self)
        return raw if raw is None else f"{datetime.fromisoformat(raw) + timedelta(days=4):%Y-%m-%dT00:00:00Z}"

    patch(CursorTracker, "final", rounded)


@mutant("pages")
def cursor_moves_on_without_the_rows(patch: Patch) -> None:
    """Every second batch is lost on its way, and nobody notices."""
    write = SqlWriter.write
    turn = [0]

    async def losing(self: SqlWriter, batch: Batch, *rest: Any, **options: Any) -> Any:
        turn[0] += 1
        if turn[0] % 2:
            return await write(self, batch, *rest, **options)
        return await write(self, msgspec.structs.replace(batch, rows=[]), *rest, **options)

    patch(SqlWriter, "write", losing)


@mutant("pages", "deletes")
def deletes_on_a_partial_listing(patch: Patch) -> None:
    finish = SqlWriter.finish

    async def sure(self: SqlWriter, checkpoint: Any, lease: Any, *, complete: bool = False) -> Any:
        return await finish(self, checkpoint, lease, complete=True)

    patch(SqlWriter, "finish", sure)


@mutant("pages")
def float_instead_of_decimal(patch: Patch) -> None:
    compiled = ENGINE.compile_mapping

    def rough(*arguments: Any) -> Any:
        mapper = compiled(*arguments)
        mapped = mapper.map

        def floated(records: list[Any]) -> Any:
            found = mapped(records)
            place = found.batch.columns.index("amount")
            rows = [(*row[:place], _single(row[place]), *row[place + 1 :]) for row in found.batch.rows]
            found.batch.rows, found.batch.kinds = rows, None
            return found

        mapper.map, mapper.shape = floated, _never
        return mapper

    patch(ENGINE, "compile_mapping", rough)


def _single(value: Any) -> Any:
    """The number in single precision."""
    return value if value is None else struct.unpack("f", struct.pack("f", float(value)))[0]


# required


@mutant("required")
def no_required_check(patch: Patch) -> None:
    def lax(mapping: Mapping | None, *rest: Any) -> Any:
        assert mapping is not None
        fields = tuple(field.model_copy(update={"required": False}) for field in mapping.fields)
        return compile_mapping(mapping.model_copy(update={"fields": fields}), *rest)

    patch(ENGINE, "compile_mapping", lax)


@mutant("required")
def drops_rejects(patch: Patch) -> None:
    def forgets(self: Gathered, rejected: list[Any]) -> None:
        self.refused += len(rejected)

    patch(Gathered, "reject", forgets)


@mutant("required")
def one_bad_record_ends_every_run(patch: Patch) -> None:
    gather = StreamRun._gather

    def strict(self: StreamRun, page: Page) -> None:
        gather(self, page)
        if self._gathered and self._gathered.rejected:
            raise PartialError("a record was rejected")

    patch(StreamRun, "_gather", strict)


# resume


@mutant("resume")
def checkpoint_before_write(patch: Patch) -> None:
    write = SqlWriter.write

    async def early(self: SqlWriter, batch: Batch, rejected: Any, checkpoint: Any, lease: Any, **options: Any) -> Any:
        empty = msgspec.structs.replace(batch, rows=[])
        await write(self, empty, [], checkpoint, lease)
        return await write(self, batch, rejected, None, lease, **options)

    patch(SqlWriter, "write", early)


@mutant("resume", "append")
def checkpoint_long_after_write(patch: Patch) -> None:
    write = SqlWriter.write

    async def late(self: SqlWriter, batch: Batch, rejected: Any, checkpoint: Any, lease: Any, **options: Any) -> Any:
        written = await write(self, batch, rejected, None, lease, **options)
        await write(self, msgspec.structs.replace(batch, rows=[]), [], checkpoint, lease)
        return written

    patch(SqlWriter, "write", late)


@mutant("resume")
def begins_every_pass_anew(patch: Patch) -> None:
    load = SqlStateStore.load

    async def forgetful(self: SqlStateStore, key: str) -> Any:
        state = await load(self, key)
        return msgspec.structs.replace(state, checkpoint=Checkpoint(cursor=state.checkpoint.cursor))

    patch(SqlStateStore, "load", forgetful)


@mutant("resume")
def waits_for_the_dead(patch: Patch) -> None:
    patch(Owner, "is_dead", lambda self: False)


@mutant("resume")
def no_lease(patch: Patch) -> None:
    patch(Ledger, "refuse_held", _never)


# logs


@mutant("logs")
def no_correlation_id(patch: Patch) -> None:
    within = events.within

    @contextmanager
    def nameless(**names: str) -> Any:
        names.pop("run_id", None)
        with within(**names):
            yield

    patch(events, "within", nameless)


@mutant("logs")
def one_id_for_all_runs(patch: Patch) -> None:
    within = events.within

    def constant(**names: str) -> Any:
        return within(**{**names, **({"run_id": "run"} if "run_id" in names else {})})

    patch(events, "within", constant)


@mutant("logs")
def the_apis_request_id_is_lost(patch: Patch) -> None:
    patch(Response, "request_id", None)


@mutant("logs")
def logs_for_people_only(patch: Patch) -> None:
    patch(syncline.cli.logs, "_renderer", lambda format, stream: lambda _, __, line: f"{line['event']} happened")


# secrets


def _telling(sign: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(sign)
    def tells(self: Any, request: Request, token: Any, now: Any) -> Any:
        signed = sign(self, request, token, now)
        events.emit(events.Noticed(what=f"signed with {_in_clear(signed)}"))
        return signed

    return tells


def _in_clear(request: Request) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value.reveal() for name, value in request.headers.items()}


@mutant("secrets")
def secrets_in_reports(patch: Patch) -> None:
    patch(Bearer, "sign", _telling(Bearer.sign))


@mutant("secrets", "oauth")
def tokens_in_reports(patch: Patch) -> None:
    patch(OAuth2, "sign", _telling(OAuth2.sign))


@mutant("secrets")
def secrets_in_logs(patch: Patch) -> None:
    sign = Bearer.sign

    def tells(self: Any, request: Request, token: Any, now: Any) -> Any:
        signed = sign(self, request, token, now)
        events.emit(events.LimitLearned(source="debugging", detail=str(_in_clear(signed))))
        return signed

    patch(Bearer, "sign", tells)
    patch(Redactor, "data", lambda self, value: value)


# volume


@mutant("volume")
def stops_after_some_records(patch: Patch) -> None:
    patch(StreamRun, "_is_enough", lambda self: self.report.account.read > 1_000)


def become(name: str) -> None:
    """Make this process a mutant."""
    MUTANTS[name].mutate(setattr)


if os.environ.get("MUTANT"):
    become(os.environ["MUTANT"])
