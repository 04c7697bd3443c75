"""WireMock's admin API: what a test tells it to answer, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.request import Request

from tests.real.process import direct

Answer = Mapping[str, Any]
"""A WireMock response definition."""

RESETS = ("CONNECTION_RESET_BY_PEER", "EMPTY_RESPONSE", "MALFORMED_RESPONSE_CHUNK", "RANDOM_DATA_THEN_CLOSE")


class WireMock:
    """One running WireMock; `url` is its base URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._scenarios = 0

    def reset(self) -> None:
        self._admin("POST", "reset")

    def answer(self, path: str, answer: Answer, *, query: Mapping[str, str | None] | None = None) -> None:
        """Always answer so; `query` names parameters and their values, None for one that must be absent."""
        self._admin("POST", "mappings", {"request": _matching(path, query), "response": dict(answer)})

    def answer_in_turn(
        self, path: str, answers: Sequence[Answer], *, query: Mapping[str, str | None] | None = None
    ) -> None:
        """Answer so, one after the other; the last one stays."""
        self._scenarios += 1
        states = ["Started", *(f"after {number}" for number in range(1, len(answers)))]
        for number, answer in enumerate(answers):
            mapping = {
                "scenarioName": f"scenario {self._scenarios}",
                "requiredScenarioState": states[number],
                "newScenarioState": states[min(number + 1, len(answers) - 1)],
                "request": _matching(path, query),
                "response": dict(answer),
            }
            self._admin("POST", "mappings", mapping)

    def requests(self, path: str) -> list[dict[str, Any]]:
        """What came for this path, oldest first; `loggedDate` is in milliseconds."""
        found = self._admin("POST", "requests/find", {"method": "ANY", "urlPath": path})["requests"]
        return sorted(found, key=lambda request: request["loggedDate"])

    def _admin(self, method: str, path: str, document: Any = None) -> Any:
        body = json.dumps(document).encode() if document is not None else None
        request = Request(f"{self.url}/__admin/{path}", data=body, method=method)
        with direct.open(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def document(value: Any, status: int = 200, **headers: str) -> Answer:
    return {
        "status": status,
        "body": json.dumps(value),
        "headers": {"Content-Type": "application/json", **_named(headers)},
    }


def text(body: str, content_type: str = "text/html", status: int = 200, **headers: str) -> Answer:
    return {"status": status, "body": body, "headers": {"Content-Type": content_type, **_named(headers)}}


def refusal(status: int, retry_after: str | None = None) -> Answer:
    answer = document({"error": "not now"}, status)
    return {**answer, "headers": {**answer["headers"], **({"Retry-After": retry_after} if retry_after else {})}}


def fault(name: str) -> Answer:
    return {"fault": name}


def cut_short(value: Any) -> Answer:
    """A whole HTTP answer around half of a JSON document."""
    whole = json.dumps(value)
    return text(whole[: len(whole) // 2], "application/json")


def late(answer: Answer, seconds: float) -> Answer:
    return {**answer, "fixedDelayMilliseconds": int(seconds * 1_000)}


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _matching(path: str, query: Mapping[str, str | None] | None) -> dict[str, Any]:
    wanted = {name: {"absent": True} if value is None else {"equalTo": value} for name, value in (query or {}).items()}
    return {"method": "ANY", "urlPath": path, **({"queryParameters": wanted} if wanted else {})}
