"""One list, read page by page from any place in it to its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from itertools import islice
from typing import Any, Protocol

import msgspec
from msgspec import to_builtins

from syncline.errors import ClientError, RequestError, ServerError, SynclineError
from syncline.events import Noticed, emit
from syncline.http import decode_json_body
from syncline.http.caching import Known, PageMemory
from syncline.http.caps import Caps, Spending
from syncline.model import Request, Response, Shape
from syncline.pagination import Answer, Position, Settled, Watch
from syncline.sources.answer import records_of
from syncline.sources.endpoint import Endpoint
from syncline.sources.foreseen import Foreseen, Room
from syncline.sources.page_maker import Asked, Context, Token
from syncline.sources.shaped import Reread, ShapedPage, shaped_decoder

UNPROVEN = 2
"""Pages that are asked for early while no second page has shown that the API obeys: so many requests a mistake may cost (R21)."""


class Asks(Protocol):
    """What reading needs of a client."""

    @property
    def caps(self) -> Caps: ...

    @property
    def conditional(self) -> bool: ...

    async def send(self, request: Request, known: Known | None = None) -> Response: ...


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """What goes along with one pass: what it may use up, and the pages of the last one where they are asked for.

    `since` is the cursor to ask from; `first_alone` says that the first page's time is to be known before others are asked for.
    `gaps` are what the lists of parents showed: some of them may have been skipped, with all that is below.
    """

    spending: Spending
    room: Room
    since: Any = None
    first_alone: bool = False
    memory: PageMemory | None = None
    shape: Shape | None = None
    gaps: list[str] = []


class Listing:
    """One list of a stream: all of it, or what belongs to one parent and partition."""

    def __init__(self, client: Asks, endpoint: Endpoint, context: Context, base: Request, this: Pass) -> None:
        """`base` is the list's request before pagination."""
        decoder = shaped_decoder(endpoint, this.shape) if this.shape and base.decode is decode_json_body else None
        self._base = msgspec.structs.replace(base, decode=decoder.decode) if decoder is not None else base
        self._client, self._endpoint, self._context, self._this = client, endpoint, context, this
        self._foreseen = Foreseen(self._send, this.room)
        self._before: list[Any] = []
        """The records of the page before."""
        self._missed: str | None = None
        """What an answer that was thrown away had shown: records may have been skipped."""

    async def pages(self, at: Token, position: Position | None) -> AsyncGenerator[Asked, None]:
        """Its pages from `position` on, or all of them; `at` is the list's own place."""
        pagination, memory, watch = self._endpoint.pagination, self._this.memory, Watch()
        current: Position | None = position if position is not None else pagination.start()
        number = 0
        try:
            while current is not None:
                number += 1
                request = pagination.apply(self._base, current)
                known = memory.known(request) if memory else None
                response = await self._response(request, current, number, known)
                if response is None:
                    self._this.spending.page(0, 0)
                    yield Asked(
                        records=[], response=None, context=self._context, token=at, following={**at, "done": True}
                    )
                    return
                if memory and known and response.status == 304:
                    memory.unchanged(request, known)
                    yield self._unchanged(response, known, {**at, "page": current}, _after(at, known.following))
                    current = known.following
                    continue
                asked, following = self._read(response, current, number, watch)
                asked.token, asked.following = {**at, "page": current}, _after(at, following)
                if memory:
                    memory.read(request, response, len(asked.records), following)
                elif following is not None:
                    self._foresee(following, number)
                yield asked
                current = following
        finally:
            await self._foreseen.drop()

    def _foresee(self, following: Position, number: int) -> None:
        positions = self._endpoint.pagination.foresee(following)
        if positions is None:
            return
        requests = (self._endpoint.pagination.apply(self._base, position) for position in positions)
        self._foreseen.ask(islice(requests, None if number > 1 else UNPROVEN), number + 1)

    async def _response(
        self, request: Request, position: Position, number: int, known: Known | None
    ) -> Response | None:
        if known is not None:
            return await self._send(request, number, known)
        response, early = await self._foreseen.take(request, number)
        if early and (response is None or not self._endpoint.pagination.holds(position, self._answer(response))):
            # the list moved, and what came early may lie on either side of it: from here on page by page, as they are now
            if response is not None:
                settled = self._endpoint.pagination.settle(position, self._answer(response))
                self._missed = settled.notice if settled.gap else None
            await self._foreseen.drop()
            response, _ = await self._foreseen.take(request, number)
        return response

    def _read(self, response: Response, position: Position, number: int, watch: Watch) -> tuple[Asked, Position | None]:
        """The page, and where the next one lies."""
        pagination = self._endpoint.pagination
        try:
            answer = self._answer(response)
            settled = pagination.settle(position, answer)
            following = pagination.advance(position, answer)
            same_as = watch.check(position, answer, following)
            self._this.spending.page(len(response.body), len(answer.records))
        except SynclineError as error:
            raise error.at(stream=self._endpoint.name, page=number, request_id=response.request_id) from None
        if same_as is not None and settled.notice is None and pagination.counts_places and self._endpoint.primary_key:
            settled = Settled(
                settled.records, f"page {number} has the records of page {same_as}, and not its own", gap=True
            )
        if settled.notice and not settled.gap:
            emit(Noticed(what=f"{self._endpoint.name}, page {number}: {settled.notice}"))
        shape = response.document.shape if isinstance(response.document, ShapedPage) else None
        records = self._new_among(settled.records, whole=shape is not None)
        self._before = answer.records
        asked = Asked(
            records=records,
            response=response,
            context=self._context,
            token={},
            following={},
            total=pagination.total(answer),
            gap=settled.notice if settled.gap else self._missed,
            shape=shape,
            plain=Reread(response.body, partial(self._plain, response)),
            unchanged=len(settled.records) - len(records),
        )
        return asked, following

    def _new_among(self, records: list[Any], *, whole: bool) -> list[Any]:
        """Without what the page before had word for word: all of it when it comes again, its end when others were added in front.

        `whole`: all or none, because something else counts the records. Without a primary key two may well be alike.
        """
        before = self._before
        if not before or not records or not self._endpoint.primary_key:
            return records
        if whole:  # decoded as other types, maybe
            same = len(before) == len(records) and _alike(before[0], records[0]) and _alike(before, records)
            return [] if same else records
        if before[0] not in records and before[-1] not in records:
            return records
        return [record for record in records if record not in before]

    def _unchanged(self, response: Response, known: Known, token: Token, following: Token) -> Asked:
        self._this.spending.page(0, known.records)
        return Asked(
            records=[],
            response=response,
            context=self._context,
            token=token,
            following=following,
            unchanged=known.records,
        )

    def _answer(self, response: Response) -> Answer:
        document = response.document
        if isinstance(document, ShapedPage):
            return Answer(document.document, response.headers, response.url, document.records)
        where = self._endpoint.records or self._endpoint.pagination.records_path(document)
        return Answer(document, response.headers, response.url, records_of(self._endpoint, where, response))

    def _plain(self, response: Response, body: bytes) -> list[Any]:
        whole = msgspec.structs.replace(response, document=decode_json_body(response))
        return records_of(self._endpoint, self._endpoint.records, whole)

    async def _send(self, request: Request, number: int, known: Known | None = None) -> Response | None:
        """The answer, or None where the stream says that such a status means that nothing is there."""
        try:
            return await self._client.send(request, known)
        except (ClientError, ServerError) as error:
            if error.status is not None and self._endpoint.on_status.get(error.status) == "ignore":
                return None
            raise error.at(stream=self._endpoint.name, page=number, **self._context) from None
        except RequestError as error:
            raise error.at(stream=self._endpoint.name, page=number, **self._context) from None


def _after(at: Token, following: Position | None) -> Token:
    return {**at, "done": True} if following is None else {**at, "page": following}


def _alike(one: Any, other: Any) -> bool:
    """Whether they hold the same, of whatever shapes they are; two of one shape are told apart by their first difference."""
    if one.__class__ is other.__class__ and not isinstance(one, list):
        return bool(one == other)
    return bool(to_builtins(one) == to_builtins(other))
