"""An address book with an API, which does what it is asked and then may hang up: the destination under test, and its oracle.

It has no unique keys, so that whatever is done twice is seen twice. `effects` is what it did, in order.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from aiohttp import web

from syncline.model import encode_json

Answer = tuple[int, Any]


class Effect(msgspec.Struct, frozen=True):
    what: str
    source: Any
    """The external id of the record, as the source has it."""
    remote_id: int


class Contacts:
    """`drops`: the share of writing requests whose connection is cut after they were acted upon. `idempotent`: it knows the header
    Idempotency-Key. `committed` is called after each effect; `refuse` gives a status and a body for a record it does not like.
    """

    def __init__(
        self,
        *,
        drops: float = 0.0,
        seed: int = 1,
        idempotent: bool = False,
        refuse: Callable[[str, Any], Answer | None] = lambda what, body: None,
        source: int = 0,
    ) -> None:
        self.records: dict[int, dict[str, Any]] = {}
        self.effects: list[Effect] = []
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.drops, self.idempotent, self.refuse = drops, idempotent, refuse
        self.dropped = 0
        self.committed: Callable[[Effect], None] = lambda effect: None
        self.before: Callable[[web.Request], web.StreamResponse | None] = lambda request: None
        self.people = [person(number) for number in range(source)]
        self._answers: dict[str, Answer] = {}
        self._random = Random(seed)
        self._next = 1000

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text, parse_float=Decimal) if text else None
        self.requests.append((request.method, request.path_qs, dict(request.headers), body))
        if (answer := self.before(request)) is not None:
            return answer
        if request.path == "/people":
            return web.json_response(self._page(request))
        key = request.headers.get("Idempotency-Key") if self.idempotent else None
        if key is not None and key in self._answers:
            status, document = self._answers[key]
        else:
            status, document = self._act(request, body)
            if key is not None and status not in (401, 429):
                self._answers[key] = (status, document)
        if request.method != "GET" and not self._only_reads(body) and self._random.random() < self.drops:
            self.dropped += 1
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
        return web.Response(body=encode_json(document), status=status, content_type="application/json")

    def _only_reads(self, body: Any) -> bool:
        return isinstance(body, dict) and str(body.get("query", "")).lstrip().startswith("query")

    def _page(self, request: web.Request) -> Any:
        begin = int(request.query.get("cursor", "0"))
        end = begin + int(request.query.get("limit", "50"))
        return {"data": self.people[begin:end], "next": end if end < len(self.people) else None}

    def _act(self, request: web.Request, body: Any) -> Answer:
        parts = request.path.strip("/").split("/")
        if parts == ["graphql"]:
            return self._graphql(body)
        if parts == ["contacts", "batch"]:
            return self._batch(request.method, body)
        if parts == ["contacts"] and request.method == "GET":
            wanted = request.query.items()
            fits = [r for r in self.records.values() if all(str(r.get(name)) == value for name, value in wanted)]
            return 200, fits
        if parts == ["contacts"]:
            return self.create(body)
        number = int(parts[1]) if parts[1].isdigit() else -1
        if request.method == "GET":
            return (200, self.records[number]) if number in self.records else (404, {"message": "no such contact"})
        return self.update(number, body) if request.method == "PATCH" else self.delete(number)

    def create(self, body: Any) -> Answer:
        if (refusal := self.refuse("create", body)) is not None:
            return refusal
        self._next += 1
        self.records[self._next] = {"id": self._next, **body}
        self._did("create", body, self._next)
        return 201, self.records[self._next]

    def update(self, number: int, body: Any) -> Answer:
        if number not in self.records:
            return 404, {"message": "no such contact"}
        if (refusal := self.refuse("update", body)) is not None:
            return refusal
        self.records[number] |= body
        self._did("update", self.records[number], number)
        return 200, self.records[number]

    def delete(self, number: int) -> Answer:
        if number not in self.records:
            return 404, {"message": "no such contact"}
        self._did("delete", self.records.pop(number), number)
        return 200, {}

    def _batch(self, method: str, body: Any) -> Answer:
        items = body["contacts"]
        results = []
        for item in items:
            if method == "DELETE":
                status, document = self.delete(item["id"])
            elif method == "PATCH":
                rest = {name: value for name, value in item.items() if name != "id"}
                status, document = self.update(item["id"], rest)
            else:
                status, document = self.create(item)
            results.append({"status": status, **({"record": document} if status < 300 else {"error": document})})
        return (207 if any(result["status"] >= 300 for result in results) else 200), {"results": results}

    def _graphql(self, body: Any) -> Answer:
        text, variables = body["query"], body["variables"]
        if "contactCreate" in text:
            return self._payload("contactCreate", self.create(variables["input"]))
        if "contactUpdate" in text:
            return self._payload("contactUpdate", self.update(int(variables["id"]), variables["input"]))
        fits = [record for record in self.records.values() if record.get("email") == variables["email"]]
        return 200, {"data": {"contacts": {"nodes": fits}}}

    @staticmethod
    def _payload(name: str, answer: Answer) -> Answer:
        status, document = answer
        if status >= 300:
            return 200, {"data": {name: {"contact": None, "userErrors": [document]}}}
        return 200, {"data": {name: {"contact": {"id": document["id"]}, "userErrors": []}}}

    def _did(self, what: str, body: Any, number: int) -> None:
        effect = Effect(what, body.get("external_id"), number)
        self.effects.append(effect)
        self.committed(effect)

    # The oracle

    def counted(self, what: str) -> Counter[Any]:
        """How often each record of the source met with this."""
        return Counter(effect.source for effect in self.effects if effect.what == what)

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path, _, _ in self.requests if method != "GET"]


def person(number: int) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "email": f"person{number}@example.org",
        "name": f"Person {number}",
        "age": 20 + number % 50,
    }


def not_like(*numbers: int) -> Callable[[str, Any], Answer | None]:
    """Refuses these people, in the words of a Rails API."""
    bad = {f"p{number}" for number in numbers}

    def refuse(what: str, body: Any) -> Answer | None:
        if body.get("external_id") in bad:
            return 422, {"errors": {"email": ["has already been taken"]}}
        return None

    return refuse
