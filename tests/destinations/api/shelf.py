"""An API that keeps whatever it is sent, in a thread of its own, so that processes that are killed can write to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from syncline.destinations import Destination, RestApi
from syncline.rehearsal.simulator.wire import Answer, Call, answered
from syncline.testing import Abilities, Bench
from syncline.testing.bench import TABLE
from tests.support.serving import Aside


class Shelf(Aside):
    """`records` by the id that they got here. It remembers the keys of the requests that it acted upon."""

    def __init__(self) -> None:
        self.records: dict[int, Any] = {}
        self.answers: dict[str, Answer] = {}
        super().__init__()

    def handle(self, call: Call, now: datetime) -> Answer:
        key = call.headers["Idempotency-Key"]
        if key not in self.answers:
            items = call.json if isinstance(call.json, list) else [call.json]
            kept = [self._keep(call, item) for item in items]
            self.answers[key] = answered(kept if isinstance(call.json, list) else kept[0])
        return self.answers[key]

    def _keep(self, call: Call, item: Any) -> Any:
        here = len(self.records) + 1 if call.method == "POST" else int(call.path.rpartition("/")[2])
        self.records[here] = {**item, "here": here}
        return self.records[here]


class ShelfBench(Bench):
    """The first in a folder starts the server; others there find its address."""

    abilities = Abilities(
        modes=frozenset({"append", "upsert"}),
        deletes=False,
        lists=False,
        schema=False,
        names=False,
        refuses=frozenset({"bytes"}),
    )
    into: ClassVar[Mapping[str, Any]] = {
        "create": "POST /orders",
        "update": "PUT /orders/{id}",
        "id": "here",
        "idempotency_header": "Idempotency-Key",
    }

    def make(self) -> Destination:
        address = self.folder / "address"
        self.server = None if address.exists() else Shelf()
        if self.server is not None:
            address.write_text(json.dumps(self.server.url))
        return RestApi.model_validate({"base_url": json.loads(address.read_text()), "retry": {"budget": "100%"}})

    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        assert self.server is not None
        return sorted(self.server.records.values(), key=lambda record: record["id"])

    def drop(self) -> None:
        if self.server is not None:
            self.server.close()


class BatchesBench(ShelfBench):
    into: ClassVar[Mapping[str, Any]] = {**ShelfBench.into, "batch_create": "POST /orders/batch", "batch": 100}
