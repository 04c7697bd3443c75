"""WireMock's admin API: what a test tells it to answer, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request

import msgspec

from tests.real.process import direct

Answer = Mapping[str, Any]
"""A WireMock response definition."""

RESETS = ("CONNECTION_RESET_BY_PEER", "EMPTY_RESPONSE", "MALFORMED_RESPONSE_CHUNK", "RANDOM_DATA_THEN_CLOSE")


HTTP_DATE_IN_TWO_SECONDS = "{{now offset='2 seconds' timezone='GMT' format=\"EEE, dd MMM yyyy HH:mm:ss 'GMT'\"}}"
"""A template that WireMock fills in when it answers; a date has whole seconds, so it is one to two seconds ahead."""


class Exchange(msgspec.Struct, frozen=True):
    """One request that came, and what it was answered. `at` is when it came."""

    at: datetime
    status: int
    retry_after: str | None


class WireMock:
    """One running WireMock; `url` is its base URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._scenarios = 0

    def reset(self) -> None:
        self._admin("POST", "reset")

    def answer(self, path: str, answer: Answer, *, priority: int = 5) -> None:
        """Always answer so, unless a mapping of a smaller priority matches."""
        self._admin(
            "POST", "mappings", {"request": _matching(path, None), "response": dict(answer), "priority": priority}
        )

    def answer_in_turn(
        self, path: str, answers: Sequence[Answer], *, query: Mapping[str, str | None] | None = None
    ) -> None:
        """Answer so, one after the other; the last one stays.

        `query` names parameters and their values, None for one that must be absent.
        """
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

    def exchanges(self, path: str) -> list[Exchange]:
        """Requests for this path with their answers, oldest first."""
        found = [
            event
            for event in self._admin("GET", "requests")["requests"]
            if event["request"]["url"].split("?")[0] == path
        ]
        found.sort(key=lambda event: event["request"]["loggedDate"])
        return [
            Exchange(
                at=datetime.fromtimestamp(event["request"]["loggedDate"] / 1_000, UTC),
                status=event["response"]["status"],
                retry_after=event["response"].get("headers", {}).get("Retry-After"),
            )
            for event in found
        ]

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
    if retry_after is None:
        return answer
    return templated({**answer, "headers": {**answer["headers"], "Retry-After": retry_after}})


def templated(answer: Answer) -> Answer:
    """Let WireMock fill in the templates within the answer."""
    return {**answer, "transformers": ["response-template"]}


def fault(name: str) -> Answer:
    return {"fault": name}


def cut_short(value: Any) -> Answer:
    """A whole HTTP answer around half of a JSON document."""
    whole = json.dumps(value)
    return text(whole[: len(whole) // 2], "application/json")


def late(answer: Answer, seconds: float) -> Answer:
    return {**answer, "fixedDelayMilliseconds": int(seconds * 1_000)}


def dripping(answer: Answer, *, chunks: int, seconds: float) -> Answer:
    """The answer in many small pieces, spread over so many seconds."""
    return {**answer, "chunkedDribbleDelay": {"numberOfChunks": chunks, "totalDuration": int(seconds * 1_000)}}


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _matching(path: str, query: Mapping[str, str | None] | None) -> dict[str, Any]:
    wanted = {name: {"absent": True} if value is None else {"equalTo": value} for name, value in (query or {}).items()}
    return {"method": "ANY", "urlPath": path, **({"queryParameters": wanted} if wanted else {})}
