"""Another API as the destination: it does what it is told, notes every effect, and hangs up now and then when it has acted."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from decimal import Decimal
from typing import Any

from aiohttp import web

from tests.crash.world import spelled

Answer = tuple[int, Any]


class Recipient:
    """Records behind `records`; it has no unique keys, so that whatever is done twice is seen twice.

    `idempotent`: it knows the header Idempotency-Key. `drops` is the share of effects whose answer never leaves.
    """

    def __init__(self, seed: str, *, idempotent: bool, drops: float) -> None:
        self.records: dict[int, dict[str, Any]] = {}
        self.effects: Counter[tuple[str, Any]] = Counter()
        """What was done, and with which version of a record (or to which record, where it was deleted)."""
        self.idempotent, self.drops = idempotent, drops
        self._random = random.Random(seed)
        self._answers: dict[str, Answer] = {}
        self._next = 0

    async def handle(self, request: web.Request, rest: tuple[str, ...]) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text, parse_float=Decimal) if text else None
        if request.method == "GET":
            wanted = request.query["external"]
            found = [record for record in self.records.values() if str(record["id"]) == wanted]
            return _answer(200, found)
        key = request.headers.get("Idempotency-Key") if self.idempotent else None
        status, document = self._answers.get(key or "") or self._act(request.method, rest, body)
        if key is not None:
            self._answers[key] = status, document
        if self._random.random() < self.drops:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
        return _answer(status, document)

    def _act(self, method: str, rest: tuple[str, ...], body: Any) -> Answer:
        if method == "POST":
            self._next += 1
            self.records[self._next] = {"key": self._next, **body}
            self.effects["create", body["version"]] += 1
            return 201, self.records[self._next]
        number = int(rest[1])
        if number not in self.records:
            return 404, {"message": "no such record"}
        if method == "DELETE":
            self.effects["delete", number] += 1
            return 200, self.records.pop(number)
        self.records[number] |= body
        self.effects["update", body["version"]] += 1
        return 200, self.records[number]


def _answer(status: int, document: Any) -> web.Response:
    return web.Response(status=status, text=spelled(document), content_type="application/json")
