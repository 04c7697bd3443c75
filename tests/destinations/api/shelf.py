"""An API that keeps whatever it is sent, in a thread of its own, so that processes that are killed can write to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from syncline.destinations import Destination, RestApi
from syncline.model import decode_json, encode_json
from syncline.testing import Abilities, Bench
from syncline.testing.bench import TABLE


class Shelf(ThreadingHTTPServer):
    """`records` by the id that they got here. It remembers the keys of the requests that it acted upon."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.records: dict[int, Any] = {}
        self.answers: dict[str, Any] = {}
        self.turn = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def act(self, method: str, path: str, key: str | None, body: Any) -> Any:
        with self.turn:
            if key in self.answers:
                return self.answers[key]
            items = body if isinstance(body, list) else [body]
            kept = [self._keep(method, path, item) for item in items]
            answer = kept if isinstance(body, list) else kept[0]
            if key is not None:
                self.answers[key] = answer
            return answer

    def _keep(self, method: str, path: str, item: Any) -> Any:
        here = len(self.records) + 1 if method == "POST" else int(path.rpartition("/")[2])
        self.records[here] = {**item, "here": here}
        return self.records[here]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        assert isinstance(self.server, Shelf)
        body = decode_json(self.rfile.read(int(self.headers["Content-Length"])))
        answer = encode_json(self.server.act(self.command, self.path, self.headers["Idempotency-Key"], body))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *told: Any) -> None:
        return


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
            self.server.shutdown()
            self.server.server_close()


class BatchesBench(ShelfBench):
    into: ClassVar[Mapping[str, Any]] = {**ShelfBench.into, "batch_create": "POST /orders/batch", "batch": 100}
