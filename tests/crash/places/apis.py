"""Other APIs, which remember what was done to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from tests.crash.api import Api
from tests.crash.oracle import Found
from tests.crash.places.place import WithStateFile
from tests.crash.recipient import Recipient


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
    idempotent: ClassVar[bool] = True

    def __init__(self, folder: Path, api: Api) -> None:
        super().__init__(folder, api)
        self.recipient = Recipient(folder.name, idempotent=self.idempotent, drops=0.03)
        api.recipients[folder.name] = self.recipient

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
        return Found(
            rows=list(self.recipient.records.values()),
            lines=None,
            letters=self.letters(),
            state=self.state(),
            doubled=[effect for effect, count in self.recipient.effects.items() if count > 1],
        )

    def drop(self) -> None:
        del self.api.recipients[self.folder.name]


class SearchableApi(OtherApi):
    """Another API, which knows no idempotency: what is there is looked up before anything is sent again."""

    name = "api-lookup"
    modes = ("upsert",)
    idempotent = False

    def _safety(self) -> dict[str, Any]:
        return {"match": "id", "lookup": "GET /records?external={id}"}
