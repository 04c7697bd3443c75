"""An address book with an API, which does what it is asked and then may hang up: the destination under test, and its oracle.

It has no unique keys, so that whatever is done twice is seen twice. `effects` is what it did, in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from syncline.rehearsal.simulator.faults import FOREVER, ResetAfter
from syncline.rehearsal.simulator.wire import Answer, Call, answered
from tests.support.faulty import Faulty

Outcome = tuple[int, Any]


class Effect(msgspec.Struct, frozen=True):
    what: str
    source: Any
    """The external id of the record, as the source has it."""
    remote_id: int


class Contacts(Faulty):
    """`drops`: the share of writing requests that are acted upon and never answered. `idempotent`: it knows the header
    Idempotency-Key. `committed` is called after each effect; `refuse` gives a status and a body for a record it does not like.
    """

    def __init__(
        self,
        *,
        drops: float = 0.0,
        idempotent: bool = False,
        refuse: Callable[[str, Any], Outcome | None] = lambda what, body: None,
        source: int = 0,
    ) -> None:
        self.records: dict[int, dict[str, Any]] = {}
        self.effects: list[Effect] = []
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.idempotent, self.refuse = idempotent, refuse
        self.dropped = 0
        self.committed: Callable[[Effect], None] = lambda effect: None
        self.before: Callable[[Call], Answer | None] = lambda call: None
        self.people = [person(number) for number in range(source)]
        self._answers: dict[str, Outcome] = {}
        self._next = 1000
        super().__init__()
        self.drop(drops)

    def drop(self, share: float) -> None:
        self.strike(ResetAfter(times=FOREVER, share=share))

    def handle(self, call: Call, now: datetime) -> Answer:
        body = call.json
        self.requests.append((call.method, call.target, dict(call.headers), body))
        if (answer := self.before(call)) is not None:
            return answer
        if call.path == "/people":
            return answered(self._page(call))
        writes = call.method != "GET" and not self._only_reads(body)
        serve = partial(self._once, call, body)
        answer = self.under_faults(call, now, serve) if writes else serve()
        self.dropped += answer.ending != "whole"
        return answer

    def _once(self, call: Call, body: Any) -> Answer:
        key = call.headers.get("Idempotency-Key") if self.idempotent else None
        status, document = self._answers.get(key or "") or self._act(call, body)
        if key is not None and status not in (401, 429):
            self._answers[key] = (status, document)
        return answered(document, status)

    def _only_reads(self, body: Any) -> bool:
        return isinstance(body, dict) and str(body.get("query", "")).lstrip().startswith("query")

    def _page(self, call: Call) -> Any:
        begin = int(call.params.get("cursor", "0"))
        end = begin + int(call.params.get("limit", "50"))
        return {"data": self.people[begin:end], "next": end if end < len(self.people) else None}

    def _act(self, call: Call, body: Any) -> Outcome:
        parts = call.path.strip("/").split("/")
        if parts == ["graphql"]:
            return self._graphql(body)
        if parts == ["contacts", "batch"]:
            return self._batch(call.method, body)
        if parts == ["contacts"] and call.method == "GET":
            wanted = call.query
            fits = [r for r in self.records.values() if all(str(r.get(name)) == value for name, value in wanted)]
            return 200, fits
        if parts == ["contacts"]:
            return self.create(body)
        number = int(parts[1]) if parts[1].isdigit() else -1
        if call.method == "GET":
            return (200, self.records[number]) if number in self.records else (404, {"message": "no such contact"})
        return self.update(number, body) if call.method == "PATCH" else self.delete(number)

    def create(self, body: Any) -> Outcome:
        if (refusal := self.refuse("create", body)) is not None:
            return refusal
        self._next += 1
        self.records[self._next] = {"id": self._next, **body}
        self._did("create", body, self._next)
        return 201, self.records[self._next]

    def update(self, number: int, body: Any) -> Outcome:
        if number not in self.records:
            return 404, {"message": "no such contact"}
        if (refusal := self.refuse("update", body)) is not None:
            return refusal
        self.records[number] |= body
        self._did("update", self.records[number], number)
        return 200, self.records[number]

    def delete(self, number: int) -> Outcome:
        if number not in self.records:
            return 404, {"message": "no such contact"}
        self._did("delete", self.records.pop(number), number)
        return 200, {}

    def _batch(self, method: str, body: Any) -> Outcome:
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

    def _graphql(self, body: Any) -> Outcome:
        text, variables = body["query"], body["variables"]
        if "contactCreate" in text:
            return self._payload("contactCreate", self.create(variables["input"]))
        if "contactUpdate" in text:
            return self._payload("contactUpdate", self.update(int(variables["id"]), variables["input"]))
        fits = [record for record in self.records.values() if record.get("email") == variables["email"]]
        return 200, {"data": {"contacts": {"nodes": fits}}}

    @staticmethod
    def _payload(name: str, answer: Outcome) -> Outcome:
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


def not_like(*numbers: int) -> Callable[[str, Any], Outcome | None]:
    """Refuses these people, in the words of a Rails API."""
    bad = {f"p{number}" for number in numbers}

    def refuse(what: str, body: Any) -> Outcome | None:
        if body.get("external_id") in bad:
            return 422, {"errors": {"email": ["has already been taken"]}}
        return None

    return refuse
