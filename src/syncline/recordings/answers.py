"""Answers that are kept, so that each request is made once."""

from __future__ import annotations

import msgspec

from syncline.errors import ClientError, ServerError
from syncline.http.caching import Known
from syncline.http.caps import Caps
from syncline.model import Request, Response
from syncline.sources import Asks

Key = tuple[str, str, bytes | None]


class Kept(msgspec.Struct, frozen=True):
    """A request as the stream made it, before credentials were added, and its answer."""

    request: Request
    response: Response


class AskingOnce:
    """A client that asks for what is not among `answers`, and keeps it there.

    What is kept is decoded again for each request, which may want it in another form than the one before.
    """

    conditional = False

    def __init__(self, client: Asks, answers: dict[Key, Kept]) -> None:
        self._client, self.answers = client, answers

    @property
    def caps(self) -> Caps:
        return self._client.caps

    async def send(self, request: Request, known: Known | None = None) -> Response:
        key = (request.method, request.target, request.content)
        kept = self.answers.get(key)
        if kept is None:
            kept = Kept(request, await self._asked(key, request))
            self.answers[key] = kept
        document = request.decode(kept.response) if request.decode else None
        return msgspec.structs.replace(kept.response, document=document)

    async def _asked(self, key: Key, request: Request) -> Response:
        try:
            return await self._client.send(request)
        except (ClientError, ServerError) as error:
            if error.status is not None:  # a stream may take it for an answer: on_status
                failed = Response(status=error.status, headers=Response.headers_of({}), body=b"", url=request.url)
                self.answers[key] = Kept(request, failed)
            raise
