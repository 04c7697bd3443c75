"""Reads a stream page by page, through parents and partitions, so that it can go on from any page in a new process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec

from syncline.errors import ClientError, PlanError, RequestError, ServerError, SynclineError
from syncline.events import Noticed, emit
from syncline.http import decode_json_body
from syncline.http.caching import NOTE, Known, PageMemory
from syncline.http.caps import Caps, Spending
from syncline.http.origins import segment
from syncline.model import MISSING, Checkpoint, Clock, Page, Request, Response, Shape, compile_path
from syncline.pagination import Answer, Position, Watch
from syncline.sources.answer import records_of
from syncline.sources.endpoint import PLACEHOLDER, Endpoint, Parent
from syncline.sources.page_maker import Asked, Context, PageMaker, Token
from syncline.sources.shaped import Reread, ShapedPage, shaped_decoder


class Asks(Protocol):
    """What a reader needs of a client."""

    @property
    def caps(self) -> Caps: ...

    @property
    def conditional(self) -> bool: ...

    async def send(self, request: Request, known: Known | None = None) -> Response: ...


class Pass(msgspec.Struct, frozen=True):
    """What goes along with one pass: what it may use up, and the pages of the last one where they are asked for."""

    spending: Spending
    memory: PageMemory | None = None
    shape: Shape | None = None


Build = Callable[[Endpoint, Context, Any], Request]
"""Makes a stream's request before pagination, from the context and the cursor value to ask from (or None)."""


class Reader:
    """An open source. One reader serves all streams of a run; `requests` of parents are its own."""

    def __init__(self, client: Asks, endpoints: Mapping[str, Endpoint], clock: Clock, build: Build) -> None:
        self.client = client
        self.endpoints = endpoints
        self.clock = clock
        self.build = build

    async def pages(
        self,
        endpoint: Endpoint,
        checkpoint: Checkpoint,
        *,
        remember: bool = False,
        conditional: bool = False,
        shape: Shape | None = None,
    ) -> AsyncGenerator[Page, None]:
        """Every page of one pass, each with the checkpoint that holds once it is written, and an empty last page.

        `remember` keeps digests of the records at the cursor's boundary, for destinations that cannot tell a record written
        before. `conditional` lets pages that did not change be passed over, where the source is configured so; for
        destinations that still have what was written. `shape` is all that will be looked at in a record: where possible the
        page's records are decoded into that, instead of plain objects.

        Raises what the request's way raises, PaginationError, and BodyError for an answer without records.
        """
        making = PageMaker(endpoint, checkpoint, self.clock, remember=remember)
        kept = checkpoint.extra.get(NOTE)
        this = Pass(
            Spending(self.client.caps, self.clock),
            PageMemory(endpoint.to_data(), kept) if conditional and self.client.conditional else None,
            None if (remember and endpoint.incremental) or endpoint.context_names else shape,
        )
        async for asked in self._asked(endpoint, checkpoint.resume, making.since, this):
            yield making.page(asked)
        last = making.last()
        if this.memory is not None and last.gap is None and (known := this.memory.to_data()):
            last.checkpoint = msgspec.structs.replace(last.checkpoint, extra={NOTE: known})
        yield last

    def asks(self, endpoint: Endpoint) -> str:
        """The first request of a stream, for people: its method and address, placeholders left open."""
        open_context = {name: f"{{{name}}}" for name in endpoint.context_names}
        return unquote(self.build(endpoint, open_context, None).shown)

    async def _asked(self, endpoint: Endpoint, token: Token | None, since: Any, this: Pass) -> AsyncIterator[Asked]:
        async for context, at, resume in self._contexts(endpoint, token, this):
            position = resume.get("page") if resume else None
            if resume and resume.get("done"):
                continue
            async for asked in self._slice(endpoint, context, (at, position), since, this):
                yield asked

    async def _contexts(
        self, endpoint: Endpoint, token: Token | None, this: Pass
    ) -> AsyncIterator[tuple[Context, Token, Token | None]]:
        """Every combination of parents and partition: its context, its token, and how far it is read already."""
        async for context, at, resume in self._of_parents(endpoint, endpoint.parents, token, this):
            if endpoint.partitions is None:
                yield context, at, resume
                continue
            begin = resume["partition"] if resume else 0
            for index, value in enumerate(endpoint.partitions.values):
                if index < begin:
                    continue
                inner = {**context, endpoint.partitions.name: value}
                yield inner, {**at, "partition": index}, resume if resume and index == begin else None

    async def _of_parents(
        self, endpoint: Endpoint, parents: tuple[Parent, ...], token: Token | None, this: Pass
    ) -> AsyncIterator[tuple[Context, Token, Token | None]]:
        if not parents:
            yield {}, {}, token
            return
        *outer, parent = parents
        level = len(outer)
        async for context, at, resume in self._of_parents(endpoint, tuple(outer), token, this):
            place = resume["parents"][level] if resume else None
            async for key, asked in self._keys(
                self.endpoints[parent.stream], parent, place and place["token"], Pass(this.spending)
            ):
                here = place is not None and key == place["key"]
                if place is not None and not here and self._holds(asked, parent, place):
                    continue  # its children were read before the interruption
                inherited = {name: value for name, value in asked.context.items() if name not in context}
                line = [*at.get("parents", []), {"token": asked.token, "key": key}]
                yield {**inherited, **context, parent.as_: key}, {"parents": line}, resume if here else None
                place = None

    @staticmethod
    def _holds(asked: Asked, parent: Parent, place: Token) -> bool:
        """Whether this is the page of the parent on which an interrupted pass stood, and it still has that record."""
        read = compile_path(parent.key)
        return bool(asked.token == place["token"] and any(read(record) == place["key"] for record in asked.records))

    async def _keys(
        self, endpoint: Endpoint, parent: Parent, token: Token | None, this: Pass
    ) -> AsyncIterator[tuple[Any, Asked]]:
        read = compile_path(parent.key)
        async for asked in self._asked(endpoint, token, None, this):
            for record in asked.records:
                key = read(record)
                if key is MISSING or key is None:
                    raise PlanError(
                        f"a record of {endpoint.name!r} has no {parent.key!r}, by which its children are read",
                        hint=f"correct 'key' of the parent block; the record has {', '.join(list(record)[:8])}"
                        if isinstance(record, dict)
                        else "correct 'records' of the parent stream",
                    )
                yield key, asked

    async def _slice(
        self, endpoint: Endpoint, context: Context, begin: tuple[Token, Position | None], since: Any, this: Pass
    ) -> AsyncIterator[Asked]:
        pagination, (at, position), memory = endpoint.pagination, begin, this.memory
        base = self.build(endpoint, context, since)
        decoder = shaped_decoder(endpoint, this.shape) if this.shape and base.decode is decode_json_body else None
        if decoder is not None:
            base = msgspec.structs.replace(base, decode=decoder.decode)
        watch = Watch()
        current: Position | None = position if position is not None else pagination.start()
        number = 0
        while current is not None:
            number += 1
            request = pagination.apply(base, current)
            known = memory.known(request) if memory else None
            response = await self._send(endpoint, request, number, context, known)
            if response is None:
                this.spending.page(0, 0)
                yield Asked(records=[], response=None, context=context, token=at, following={**at, "done": True})
                return
            if memory and known and response.status == 304:
                this.spending.page(0, known.records)
                memory.unchanged(request, known)
                yield Asked(
                    records=[],
                    response=response,
                    context=context,
                    token={**at, "page": current},
                    following=_after(at, known.following),
                    unchanged=known.records,
                )
                current = known.following
                continue
            try:
                answer = self._answer(endpoint, response)
                settled = pagination.settle(current, answer)
                following = pagination.advance(current, answer)
                watch.check(current, answer, following)
                this.spending.page(len(response.body), len(answer.records))
            except SynclineError as error:
                raise error.at(stream=endpoint.name, page=number, request_id=response.request_id) from None
            if settled.notice and not settled.gap:
                emit(Noticed(what=f"{endpoint.name}, page {number}: {settled.notice}"))
            if memory:
                memory.read(request, response, len(settled.records), following)
            yield Asked(
                records=settled.records,
                response=response,
                context=context,
                token={**at, "page": current},
                following=_after(at, following),
                total=pagination.total(answer),
                gap=settled.notice if settled.gap else None,
                shape=response.document.shape if isinstance(response.document, ShapedPage) else None,
                plain=Reread(response.body, partial(self._plain, endpoint, response)),
            )
            current = following

    def _answer(self, endpoint: Endpoint, response: Response) -> Answer:
        document = response.document
        if isinstance(document, ShapedPage):
            return Answer(document.document, response.headers, response.url, document.records)
        where = endpoint.records or endpoint.pagination.records_path(document)
        records = records_of(endpoint, where, response)
        return Answer(document, response.headers, response.url, records)

    def _plain(self, endpoint: Endpoint, response: Response, body: bytes) -> list[Any]:
        whole = msgspec.structs.replace(response, document=decode_json_body(response))
        return records_of(endpoint, endpoint.records, whole)

    async def _send(
        self, endpoint: Endpoint, request: Request, number: int, context: Context, known: Known | None
    ) -> Response | None:
        """The answer, or None where the stream says that such a status means that nothing is there."""
        try:
            return await self.client.send(request, known)
        except (ClientError, ServerError) as error:
            if error.status is not None and endpoint.on_status.get(error.status) == "ignore":
                return None
            raise error.at(stream=endpoint.name, page=number, **context) from None
        except RequestError as error:
            raise error.at(stream=endpoint.name, page=number, **context) from None


def without_validators(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint after which every page is read again, changed or not."""
    return msgspec.structs.replace(checkpoint, extra={n: v for n, v in checkpoint.extra.items() if n != NOTE})


def _after(at: Token, following: Position | None) -> Token:
    return {**at, "done": True} if following is None else {**at, "page": following}


def fill(path: str, context: Context) -> str:
    """A path with its placeholders filled in, each value escaped so that it stays one segment."""
    return PLACEHOLDER.sub(lambda match: segment(str(context[match[1]])), path)
