"""The simulator in the network's place: no sockets, and no time but the clock's."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from syncline.errors import RequestError
from syncline.http import Connection, Send
from syncline.http.failures import Progress, translator
from syncline.http.transport import headers_of
from syncline.http.wire import Wire
from syncline.model import Clock, Request, Response
from syncline.rehearsal.simulator.simulator import Simulator
from syncline.rehearsal.simulator.wire import Answer, Call


def simulated_network(simulator: Simulator, connection: Connection, clock: Clock, pace: float = 1.0) -> Send:
    """The transport's place under the run. What breaks is translated by the transport's own words.

    `pace` is what of the usual time an answer takes.
    """
    wire = Wire(
        home_host="",
        connect=connection.timeout.connect,
        read=connection.timeout.read,
        total=connection.timeout.total,
        max_body=connection.max_body,
        max_ratio=connection.max_ratio,
        connections=connection.connections,
    )
    translate = translator(wire)

    async def send(request: Request) -> Response:
        began = clock.monotonic()
        answer = simulator.handle(call_of(request), clock.now())
        answer = answer.but(delay=answer.delay * pace)
        progress = Progress()
        try:
            await _arrive(answer, wire, clock, progress)
        except RequestError as error:
            raise error.at(request=request.shown) from None
        except Exception as error:
            raise translate(error, request, progress) from None
        arrived = clock.monotonic()
        return Response(
            status=answer.status,
            headers=Response.headers_of(list(answer.headers)),
            body=answer.body,
            url=request.url,
            elapsed=arrived - began,
            received_at=arrived,
        )

    return send


def call_of(request: Request) -> Call:
    headers = {"Host": urlsplit(request.url).netloc, **headers_of(request)}
    return Call(
        method=request.method,
        url=request.target,
        headers=Response.headers_of(headers),
        body=request.content or b"",
    )


async def _arrive(answer: Answer, wire: Wire, clock: Clock, progress: Progress) -> None:
    """Wait as long as the answer takes, and raise what the network would."""
    if answer.ending == "silent" or answer.delay > wire.read:
        await clock.sleep(wire.read)
        raise aiohttp.SocketTimeoutError("nothing came")
    await clock.sleep(answer.delay)
    if answer.ending == "hung up":
        raise aiohttp.ServerDisconnectedError
    progress.status = answer.status
    if answer.ending == "cut":
        progress.received = len(answer.body) // 2
        raise aiohttp.ClientPayloadError("Response payload is not completed")
    if answer.ending == "dripping" and len(answer.body) > wire.total - answer.delay:
        progress.received = int(wire.total)
        await clock.sleep(wire.total - answer.delay)
        raise TimeoutError
    if answer.ending == "dripping":
        await clock.sleep(float(len(answer.body)))
