"""Other APIs, which remember what was done to them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.crash.oracle import Found
from tests.crash.places.place import THINGS, WithStateFile


class OtherApi(WithStateFile):
    """Another API, which knows idempotency keys."""

    name = "api"
    modes = ("upsert", "missing", "append")
    stations = (
        "outbox stored",
        "request sent",
        "answer received",
        "outcome stored",
        "dead letters written",
        "checkpoint written",
        "committed",
        "checkpoint committed",
    )
    batch = 100
    driver = ("syncline.destinations.api.sink",)
    soft = False
    counted = False  # what a killed run had sent is found to be there, and is no write of the next one

    def destination(self) -> dict[str, Any]:
        return {
            "kind": "rest",
            "base_url": f"{self.api.url}/{self.folder.name}",
            "retry": {"base": "10ms", "budget": "100%"},
        }

    def into(self, write: str) -> dict[str, Any]:
        into = {"write": write, "create": "POST /records", "id": "key"}
        return {**into, **self._safety(), **({} if write == "append" else {
            "update": "PATCH /records/{id}",
            "delete": "DELETE /records/{id}",
        })}  # fmt: skip

    def _safety(self) -> dict[str, Any]:
        return {"idempotency_header": "Idempotency-Key"}

    def found(self) -> Found:
        recipient = self.api.simulators[self.folder.name].recipient
        assert recipient is not None
        effects = Counter((effect.operation, effect.sent.get("version", effect.number)) for effect in recipient.effects)
        return Found(
            rows=list(recipient.records[THINGS].values()),
            lines=None,
            letters=self.letters(),
            state=self.state(),
            doubled=[effect for effect, count in effects.items() if count > 1],
        )


class SearchableApi(OtherApi):
    """Another API, which knows no idempotency: what is there is looked up before anything is sent again."""

    name = "api-lookup"
    modes = ("upsert",)

    def _safety(self) -> dict[str, Any]:
        return {"match": "id", "lookup": "GET /records?external={id}"}
