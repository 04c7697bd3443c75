"""A recording played again: the real source, mapping and run, with the recorded answers in the network's place."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field

from syncline.destinations import Sql, Target
from syncline.engine import arun
from syncline.errors import PlanError, SynclineError
from syncline.http import Send
from syncline.mapping import compile_mapping
from syncline.model import Checkpoint, Clock, Page, Reference, Request, Response, decode_json, encode_json
from syncline.recordings.answers import AskingOnce, Kept, Key
from syncline.recordings.differences import differences
from syncline.recordings.making import exchange_of, request_line
from syncline.recordings.paging import cursor_names, with_pages_of
from syncline.recordings.recording import Exchange, Expected, Recording
from syncline.recordings.scrubbing import ELSEWHERE, MASK, Scrub
from syncline.resilience import Limits, Retry
from syncline.sources import Endpoint, HttpSource, Reader
from syncline.spec import Integration, Stream

MOST_PRETENDED = 2


class NotRecordedError(SynclineError):
    """The stream asked for something that was not recorded."""

    code = "not_recorded"


class Replayed(msgspec.Struct, kw_only=True):
    """What came of one recording, and how it differs from what is expected. `error` is why nothing could come of it."""

    stream: str
    pages: int = 0
    outcome: Expected = msgspec.field(default_factory=Expected)
    differences: list[str] = []
    error: SynclineError | None = None

    @property
    def passed(self) -> bool:
        return self.error is None and not self.differences


async def replay(integration: Integration, recording: Recording) -> Replayed:
    """Run one stream over its recorded answers into a scratch database, and compare what comes of it. Asks nobody."""
    done = Replayed(stream=recording.stream)
    try:
        stream = integration.stream(recording.stream)
    except KeyError:
        done.error = PlanError(f"there is no stream {recording.stream!r} any more", hint="delete its recording")
        return done
    source = _source(integration, recording)
    scene = [_offline(one) for one in integration.streams]
    if recording.page_size is not None:
        scene = [with_pages_of(one, recording.page_size)[0] if one.name == stream.name else one for one in scene]
    with tempfile.TemporaryDirectory(prefix="syncline-test-") as folder:
        staged = integration.model_copy(
            update={
                "source": source,
                "streams": tuple(scene),
                "destination": Sql(url=f"sqlite:///{Path(folder) / 'scratch.db'}"),
                "state": None,
                "tokens": "memory",
            }
        )
        try:
            report = await arun(staged, streams=[stream.name], environment={})
        except SynclineError as error:
            done.error = error
            return done
    told = report.streams[0]
    if told.error is not None:
        done.error = _as_error(told.error)
        return done
    done.pages = told.pages
    counts = {name: count for name, count in msgspec.structs.asdict(told.account).items() if count or name == "read"}
    done.outcome = _outcome(stream, source.seen, counts)
    if recording.expect is not None:
        done.differences = differences(recording.expect, done.outcome)
    return done


class _Playing(HttpSource):
    """The source of an integration whose requests go to a recording. Its pages end where the recording does."""

    inner: Any = Field(description="The source as the file has it, without credentials")
    answers: Any = Field(description="The recorded exchanges by what was asked")
    seen: Any = Field(description="Every record that came")

    @asynccontextmanager
    async def open(
        self, endpoints: Mapping[str, Endpoint], *, clock: Clock | None = None, **keeping: Any
    ) -> AsyncIterator[Reader]:
        async with self.inner.open(endpoints, clock=clock, transport=self._answer) as reader:
            yield _Reading(reader, self.seen)

    def misfit(self, endpoint: Endpoint) -> str | None:
        return None if self.inner.misfit(endpoint) is None else str(self.inner.misfit(endpoint))

    async def _answer(self, request: Request) -> Response:
        asked = (request_line(request, str(self.base_url)), encode_json(request.json))
        exchange: Exchange | None = self.answers.get(asked)
        if exchange is None:
            raise NotRecordedError(
                f"{asked[0]} was not recorded",
                hint="the stream asks for something else than before; record it again: syncline test FILE --record",
            )
        body = exchange.text.encode() if exchange.text is not None else b""
        if exchange.answer is not msgspec.UNSET:
            body = encode_json(exchange.answer)
        headers = {"Content-Type": "application/json", **exchange.headers}
        return Response(status=exchange.status, headers=Response.headers_of(headers), body=body, url=request.url)


class _Reading(Reader):
    """Reads as a reader does, keeps what came, and ends where nothing more was recorded."""

    def __init__(self, reader: Reader, seen: list[Page]) -> None:
        super().__init__(reader.client, reader.endpoints, reader.clock, reader.build)
        self.seen = seen

    async def pages(self, endpoint: Endpoint, checkpoint: Checkpoint, **options: Any) -> AsyncGenerator[Page, None]:
        last: Page | None = None
        try:
            async with aclosing(super().pages(endpoint, checkpoint)) as pages:
                async for page in pages:
                    last = page
                    self.seen.append(page)
                    yield page
        except NotRecordedError:
            if last is None:
                raise
            yield msgspec.structs.replace(last, records=[], repeated=0, number=last.number + 1, last=True, plain=())


async def pretended(integration: Integration, stream: Stream, answer: Send, about: str) -> Recording:
    """A recording of what `answer` says in the API's place; asks nobody. Raises what a run would raise."""
    base_url = integration.source.base_url if isinstance(integration.source, HttpSource) else ELSEWHERE
    shown = base_url if isinstance(base_url, str) else ELSEWHERE
    streams = {one.name: _offline(one) for one in integration.streams}
    answers: dict[Key, Kept] = {}
    async with _without_credentials(integration, shown).open(streams, transport=answer) as reader:
        reader.client = AskingOnce(reader.client, answers)
        async with aclosing(reader.pages(streams[stream.name], Checkpoint(), ahead=False)) as pages:
            async for page in pages:
                if page.last or page.number == MOST_PRETENDED:
                    break
    exchanges = [exchange_of(kept, shown, Scrub(cursor_names(stream.pagination))) for kept in answers.values()]
    return Recording(about=about, stream=stream.name, base_url=shown, exchanges=exchanges)


def _source(integration: Integration, recording: Recording) -> _Playing:
    answers = {(exchange.request, encode_json(exchange.body)): exchange for exchange in reversed(recording.exchanges)}
    inner = _without_credentials(integration, recording.base_url)
    return _Playing(base_url=recording.base_url, inner=inner, answers=answers, seen=[])


def _without_credentials(integration: Integration, base_url: str) -> HttpSource:
    source = integration.source
    assert isinstance(source, HttpSource)
    return source.model_copy(
        update={
            "base_url": base_url,
            "auth": None,
            "headers": {},
            "params": {},
            "rate_limit": Limits(),
            "retry": Retry(attempts=1),
            "proxy": None,
        }
    )


def _offline(stream: Stream) -> Stream:
    """The stream without references, which nobody resolves here, and into a table, whatever it goes into."""
    params = {name: MASK if isinstance(value, Reference) else value for name, value in stream.params.items()}
    incremental = stream.incremental
    if incremental is not None and isinstance(incremental.start, Reference):
        incremental = incremental.model_copy(update={"start": MASK})
    into = Target(table=stream.into.table, write=stream.into.write, children=stream.into.children)
    return stream.model_copy(update={"params": params, "headers": {}, "incremental": incremental, "into": into})


def _outcome(stream: Stream, pages: list[Page], account: dict[str, int]) -> Expected:
    mapper = compile_mapping(stream.mapping, stream.where)
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    for page in pages:
        mapped = mapper.map(page.records)
        rows += [dict(zip(mapped.batch.columns, row, strict=True)) for row in mapped.batch.rows]
        rejected += [{"path": one.path, "reason": one.reason} for one in mapped.rejected]
    plain = decode_json(encode_json(rows))
    return Expected(account=account, rows=plain, rejected=rejected)


def _as_error(error: dict[str, Any]) -> SynclineError:
    told = type("Told", (SynclineError,), {"code": str(error.get("code", "failed"))})
    made: SynclineError = told(str(error["what"]), hint=error.get("hint"), evidence=error.get("evidence"))
    return made
