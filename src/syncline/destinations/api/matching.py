"""Finding a row's record at the destination by its match, and whether it is what the row says."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from syncline.destinations.api.dialects import Dialect
from syncline.destinations.api.forms import Unfillable
from syncline.destinations.api.results import id_in
from syncline.destinations.calls import Calls
from syncline.errors import BodyError, ClientError
from syncline.http import Client
from syncline.model import MISSING, Request, compile_path

NOTHING_THERE = frozenset({404, 410})
UNABLE = frozenset({405, 501})


class Found(msgspec.Struct, frozen=True):
    remote_id: Any
    record: Any


class Ambiguous(ValueError):
    """Several records at the destination fit one row."""


class Finder:
    """Asks the destination for the record that a row speaks of."""

    def __init__(self, dialect: Dialect, client: Client) -> None:
        self._dialect, self._client = dialect, client
        self._target: Calls = dialect.target

    def able(self, row: Mapping[str, Any]) -> bool:
        """Whether this row's record can be looked for."""
        match = self._target.match
        try:
            return (match is None or row.get(match) not in (None, "")) and self._dialect.lookup(row) is not None
        except Unfillable:
            return False

    async def find(self, row: Mapping[str, Any]) -> Found | None:
        """The one record that matches, or None. Raises Ambiguous, Unfillable, and the RequestError family."""
        request = self._dialect.lookup(row)
        if request is None:
            return None
        try:
            response = await self._client.send(request)
        except ClientError as error:
            if error.status in NOTHING_THERE:
                return None
            if error.status in UNABLE:
                error.hint = "write how records are found: lookup: GET /…; or remove match, so that links alone tell what is there"
            raise
        candidates = self._candidates(request, response.document)
        fitting = self._fitting(request, row, candidates)
        if len(fitting) > 1:
            shown = ", ".join(str(id_in(record, self._target)) for record in fitting[:3])
            raise Ambiguous(f"{len(fitting)} records at the destination have this {self._target.match} ({shown})")
        if not fitting:
            return None
        remote_id = id_in(fitting[0], self._target)
        if remote_id is None:
            raise self._unread(request, f"no id at {self._target.id!r}", fitting[0], "id")
        return Found(remote_id, fitting[0])

    def _candidates(self, request: Request, document: Any) -> list[Any]:
        """The records in the answer. A list that is not where it should be would let us create everything twice (R18)."""
        path = self._target.found
        found = compile_path(path)(document) if path is not None else document
        if found is None:
            return []
        if isinstance(found, list):
            return found
        if isinstance(found, dict) and (path is not None or id_in(found, self._target) is not None):
            return [found]
        raise self._unread(request, f"no records at {path!r}" if path else "no list and no record", document, "found")

    def _fitting(self, request: Request, row: Mapping[str, Any], candidates: list[Any]) -> list[Any]:
        """Those that have the row's match; one that does not show it is believed where the file says how to look."""
        match, told = self._target.match, self._target.lookup is not None
        if match is None:
            return candidates
        wanted, read = row.get(match), compile_path(match)
        same = [record for record in candidates if _alike(read(record), wanted)]
        if same or not candidates:
            exact = [record for record in same if read(record) == wanted]
            return exact or same
        silent = [record for record in candidates if read(record) is MISSING]
        if told:
            return silent
        fault = "records without it" if silent else "records with another one"
        raise self._unread(request, f"{fault}, as if it did not look at {match!r} at all", candidates[0], "lookup")

    def _unread(self, request: Request, what: str, document: Any, field: str) -> BodyError:
        seen = f"there is {', '.join(map(repr, list(document)[:8]))}" if isinstance(document, dict) else None
        return BodyError(
            f"the lookup {request.shown} answered with {what}",
            evidence=seen,
            hint=f"set `{field}` in `into`, so that records that are there are found and not made again",
        )


def _alike(theirs: Any, ours: Any) -> bool:
    """Whether two values name the same: case and outer spaces of text apart, 7 and "7" alike."""
    if theirs is MISSING or theirs is None or ours is None:
        return False
    return str(theirs).strip().casefold() == str(ours).strip().casefold()


def holds(record: Any, body: Any) -> bool:
    """Whether a record of the destination has everything that the body says."""
    if isinstance(body, dict):
        return isinstance(record, dict) and all(name in record and holds(record[name], body[name]) for name in body)
    if isinstance(body, list):
        fits = isinstance(record, list) and len(record) == len(body)
        return fits and all(holds(theirs, ours) for theirs, ours in zip(record, body, strict=True))
    if isinstance(body, int | float | Decimal) and not isinstance(body, bool) and not isinstance(record, bool):
        return isinstance(record, int | float | Decimal) and Decimal(str(record)) == Decimal(str(body))
    return bool(record == body) and isinstance(record, bool) == isinstance(body, bool)
