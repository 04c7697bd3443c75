"""The results of a batch: where they are, which record each speaks of, and its status and id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.destinations.calls import Calls
from syncline.model import MISSING, compile_path

LISTS = ("results", "responses", "items", "records", "data", "compositeResponse", "atomic:results")
STATUS = ("status", "statusCode", "httpStatusCode", "status_code", "responseCode", "code")
INNER = ("body", "data", "record", "resource", "result", "response", "entity")
FAILING = frozenset({"error", "errors", "failed", "failure", "fail", "invalid", "rejected", "refused"})
INDEX = ("index", "row", "position")


def results_in(document: Any, target: Calls) -> list[Any] | None:
    """The list of results, where the file says it is; else the answer, or its only list of a usual name."""
    if target.results is not None:
        found = compile_path(target.results)(document)
        return found if isinstance(found, list) else None
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return None
    lists = [document[name] for name in LISTS if isinstance(document.get(name), list)]
    return lists[0] if len(lists) == 1 else None


def paired(document: Any, results: Sequence[Any], references: Sequence[str], target: Calls) -> list[Any]:
    """For each record its result, or MISSING. By reference where the file names one, else in order."""
    errors = _errors_beside(document, results)
    if target.reference is not None:
        read = compile_path(target.reference)
        named = {str(read(result)): result for result in results if read(result) is not MISSING}
        blamed = {name: error for error in errors for name in references if _mentions(error, name)}
        named = {name: _as_result(error, target) for name, error in blamed.items()} | named
        return [named.get(name, MISSING) for name in references]
    if len(results) == len(references):
        return list(results)
    placed = {index: _as_result(error, target) for error in errors if (index := _index_of(error)) is not None}
    if len(results) + len(placed) != len(references):
        return [placed.get(number, MISSING) for number in range(len(references))]
    others = iter(results)
    return [placed[number] if number in placed else next(others) for number in range(len(references))]


def _errors_beside(document: Any, results: Sequence[Any]) -> list[Any]:
    if not isinstance(document, dict):
        return []
    found = [document[name] for name in ("errors", "failures", "failed") if isinstance(document.get(name), list)]
    return [error for errors in found if errors is not results for error in errors if isinstance(error, dict)]


def _as_result(error: dict[str, Any], target: Calls) -> Any:
    return error if result_status(error, target) is not None else {"errors": [error]}


def _mentions(value: Any, name: str) -> bool:
    if isinstance(value, dict):
        return any(_mentions(inner, name) for inner in value.values())
    if isinstance(value, list):
        return any(_mentions(inner, name) for inner in value)
    return isinstance(value, str | int) and str(value) == name


def _index_of(error: dict[str, Any]) -> int | None:
    """The record's number, from 0: given as such, or as a step of a pointer: /data/3/attributes/email."""
    for name in INDEX:
        if isinstance(error.get(name), int):
            return int(error[name])
    source = error.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else error.get("pointer")
    steps = str(pointer or "").strip("#/").split("/")
    return next((int(step) for step in steps if step.isascii() and step.isdigit()), None)


def id_in(record: Any, target: Calls) -> Any:
    """A record's id at the destination: text or an integer, or None. Of a result also within its usual envelopes."""
    read = compile_path(target.id)
    for place in (record, *(record.get(name) for name in INNER if isinstance(record, dict))):
        found = read(place)
        if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
            return found
    return None


def result_status(item: Any, target: Calls) -> int | None:
    """The status of a result as HTTP has it, or None where it has none."""
    if target.result_status is not None:
        return _number(compile_path(target.result_status)(item))
    if not isinstance(item, dict):
        return None
    return next((number for name in STATUS if (number := _number(item.get(name))) is not None), None)


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value[:3].isascii() and value[:3].isdigit() and not value[3:4].isdigit():
        value = int(value[:3])  # also: 422 Unprocessable Entity
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else None


def failing(status: Any) -> bool:
    """Whether a status that is no number of HTTP's speaks of failure."""
    number = _number(status)
    if number is not None:
        return number >= 400
    if isinstance(status, dict):  # google.rpc.Status: 0 is OK
        return isinstance(status.get("code"), int) and status["code"] != 0
    return status is False or (isinstance(status, str) and status.casefold() in FAILING)
