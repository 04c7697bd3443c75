"""What an answer says of each record that was sent: done, refused and why, or nothing that could be relied on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from syncline.destinations.api.faults import fault_of
from syncline.destinations.api.results import failing, id_in, paired, result_status, results_in
from syncline.destinations.calls import Calls, Operation
from syncline.errors import AuthError, BodyError, RequestError
from syncline.http import status_error
from syncline.http.bodies import decode_json_body
from syncline.http.graphql import complaint_of
from syncline.http.snippets import api_message
from syncline.model import MISSING, Request, Response, compile_path
from syncline.model.names import nearest

Fate = Literal["confirmed", "rejected", "missing", "refused", "unknown", "barred"]
"""missing: what was to be updated is not there. refused: not acted upon, and worth another attempt. barred: refused in a way
that may be the fault of the file or the account rather than of this record."""

GONE = frozenset({404, 410})
UNTOUCHED = frozenset({424, 425, 429})
"""Not acted upon, for reasons that are not the record's (RFC 4918, 11.4; RFC 8470, 5.2; RFC 6585, 4)."""
BARRING = frozenset({402, 403, 405, 406, 407, 411, 415, 426})
HALTED = ("ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED")
"""Codes of Salesforce for records that are well, but were sent beside one that is not."""
UNREAD = frozenset({"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "FORBIDDEN", "UNAUTHORIZED", "ACCESS_DENIED"})


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one record. `again`: an unknown fate is found out by sending the same once more, if that does no harm."""

    fate: Fate
    remote_id: Any = None
    path: str = ""
    reason: str = ""
    status: int | None = None
    again: bool = True
    error: RequestError | None = None


class Answers:
    """Reads the answers to one target's requests. `conceal` takes our secrets out of the API's words."""

    def __init__(self, target: Calls, conceal: Callable[[str], str], *, graphql: bool = False) -> None:
        self._target, self._conceal, self._graphql = target, conceal, graphql

    def of_single(self, operation: Operation, request: Request, response: Response, *, placed: bool) -> Verdict:
        """`placed`: the request's path names the record, so that 404 speaks of it. Raises AuthError."""
        document = document_of(response)
        if response.status >= 400:
            return self._of_refusal(operation, request, response, document, placed=placed)
        if (unread := unreadable(response)) is not None:
            return Verdict(fate="unknown", reason=unread, status=response.status)
        if (refused := self._of_complaint(request, response, document)) is not None:
            return refused
        return self._of_success(document, response)

    def _of_success(self, document: Any, response: Response) -> Verdict:
        record = self.record_of(document)
        remote_id = id_in(record, self._target)
        if self.says_no(document, has_id=remote_id is not None):
            path, reason = self.fault(document)
            return Verdict(fate="rejected", path=path, reason=reason or "the API refused it", status=response.status)
        if remote_id is None and "Location" in response.headers:
            last = urlsplit(response.headers["Location"]).path.rstrip("/").rpartition("/")[2]
            remote_id = unquote(last) or None
        return Verdict(fate="confirmed", remote_id=remote_id, status=response.status)

    def _of_refusal(
        self, operation: Operation, request: Request, response: Response, document: Any, *, placed: bool
    ) -> Verdict:
        status = response.status
        error = status_error(request, response)
        if status == 401:
            raise error
        path, reason = self.fault(document)
        reason = self._worded(status, reason or api_message(response) or "")
        policy = self._target.on_status.get(status)
        verdict = Verdict(fate="rejected", path=path, reason=reason, status=status, error=error)
        if self._graphql and status == 400 and policy is None:  # the text itself was not taken
            return msgspec.structs.replace(verdict, fate="barred")
        return msgspec.structs.replace(verdict, **_judged(operation, status, reason, policy, placed=placed))

    def _of_complaint(self, request: Request, response: Response, document: Any) -> Verdict | None:
        """What GraphQL says beside its data."""
        complaint = complaint_of(document) if self._graphql else None
        if complaint is None or _has_data(document):
            return None
        code = complaint.code.upper()
        said = self._conceal(str(complaint))
        if code == "UNAUTHENTICATED":
            raise AuthError(
                f"{request.shown} refused the credentials", evidence=said, hint="check the destination's auth"
            )
        if code == "INTERNAL_SERVER_ERROR":
            return Verdict(fate="unknown", reason=said)
        path, reason = self.fault(document)
        unread = code in UNREAD or "data" not in document
        error = RequestError(
            "the GraphQL API did not take the mutation",
            evidence=said,
            hint="correct the text of create, update or delete",
        )
        return Verdict(fate="barred" if unread else "rejected", path=path, reason=reason or said, error=error)

    def record_of(self, document: Any) -> Any:
        """The record within an answer: where the file says, or under the name that it was sent with, or the answer itself."""
        target = self._target
        if target.answer is not None:
            return compile_path(target.answer)(document)
        if target.wrap is not None and id_in(document, target) is None:
            inner = compile_path(target.wrap)(document)
            return document if inner is MISSING else inner
        return document

    def says_no(self, document: Any, *, has_id: bool) -> bool:
        """Whether an answer of success speaks of failure."""
        target = self._target
        if target.result_error is not None:
            found = compile_path(target.result_error)(document)
            return found is not MISSING and bool(found)
        if target.result_status is not None:
            return failing(compile_path(target.result_status)(document))
        if not isinstance(document, dict) or has_id:
            return False
        return bool(
            document.get("success") is False
            or document.get("ok") is False
            or document.get("error")
            or document.get("errors")
            or _user_errors(document)
        )

    def fault(self, document: Any) -> tuple[str, str]:
        if self._target.result_error is not None:
            found = compile_path(self._target.result_error)(document)
            document = found if found is not MISSING else document
        path, reason = fault_of(_user_errors(document) or document)
        return path, self._conceal(reason)

    def of_batch(
        self, operation: Operation, request: Request, response: Response, references: Sequence[str]
    ) -> list[Verdict] | None:
        """What became of each record, by its reference and place; None where the whole was refused because of one of them.

        Raises AuthError, and BodyError where an answer of success has no results where they should be (R18).
        """
        document = document_of(response)
        results = results_in(document, self._target)
        if response.status >= 400 and (results is None or len(results) != len(references)):
            verdict = self._of_refusal(operation, request, response, document, placed=False)
            alone = len(references) == 1
            return None if verdict.fate == "rejected" and not alone else [verdict for _ in references]
        if (unread := unreadable(response)) is not None:
            return [Verdict(fate="unknown", reason=unread, status=response.status) for _ in references]
        if (refused := self._of_complaint(request, response, document)) is not None:
            return [refused for _ in references]
        if results is None and operation != "create" and self._target.results is None:
            if not self.says_no(document, has_id=False):
                return [Verdict(fate="confirmed", status=response.status) for _ in references]
            results = []
        if results is None:
            raise self._no_results(request, document)
        return [
            Verdict(fate="unknown", again=False, reason="the answer has no result for this record")
            if item is MISSING
            else self.of_result(operation, item)
            for item in paired(document, results, references, self._target)
        ]

    def _no_results(self, request: Request, document: Any) -> BodyError:
        path = self._target.results
        lists = (
            [name for name, value in document.items() if isinstance(value, list)] if isinstance(document, dict) else []
        )
        return BodyError(
            f"{request.shown} answered without a list of results {f'at {path!r}' if path else 'in its root'}",
            evidence=f"the answer has {', '.join(map(repr, list(document)[:8]))}"
            if isinstance(document, dict)
            else None,
            hint=f"did you mean results: {nearest(path or '', lists) or lists[0]}?"
            if lists
            else "set `results` in `into`",
        )

    def of_result(self, operation: Operation, item: Any) -> Verdict:
        """What one result of a batch says of its record."""
        inner = _unwrapped(item)
        status = result_status(inner, self._target)
        remote_id = id_in(inner, self._target)
        if status is not None and status < 400 and self._target.result_error is None:
            return Verdict(fate="confirmed", remote_id=remote_id, status=status)
        path, reason = self.fault(inner)
        if status is not None and status >= 400:
            policy = self._target.on_status.get(status)
            verdict = Verdict(fate="rejected", path=path, reason=self._worded(status, reason), status=status)
            judged = _judged(operation, status, reason, policy, placed=True)
            return msgspec.structs.replace(verdict, **{**judged, "again": False})
        if self._says_no_of_one(inner, has_id=remote_id is not None, reason=reason):
            fate: Fate = "refused" if any(code in reason for code in HALTED) else "rejected"
            return Verdict(fate=fate, path=path, reason=reason or "the API refused it")
        return Verdict(fate="confirmed", remote_id=remote_id)

    def _says_no_of_one(self, item: Any, *, has_id: bool, reason: str) -> bool:
        target = self._target
        if target.result_error is not None or target.result_status is not None or not isinstance(item, dict):
            return self.says_no(item, has_id=has_id)
        if item.get("success") is False or item.get("ok") is False:
            return True
        told = any(item.get(name) for name in ("error", "errors", "fault", "userErrors"))
        return (told and not has_id) or (failing(item.get("status")) and (not has_id or told))

    def _worded(self, status: int, reason: str) -> str:
        said = self._conceal(reason)
        return f"the API answered {status}: {said}" if said else f"the API answered {status}"


def _judged(operation: Operation, status: int, reason: str, policy: str | None, *, placed: bool) -> dict[str, Any]:
    """What a status from 400 on means for the record that it answers."""
    if policy is not None and policy != "retry":
        return {
            "fate": {"reject": "rejected", "ignore": "confirmed", "fail": "barred"}[policy],
            "again": policy != "fail",
        }
    if policy == "retry" or status in UNTOUCHED:
        return {"fate": "refused"}
    if "idempoten" in reason.lower():  # the same key is at work still (409), or was used for something else
        return {"fate": "unknown", "again": status == 409}
    if status == 408 or status >= 500:
        return {"fate": "unknown"}
    if status in GONE and operation == "delete":
        return {"fate": "confirmed"}
    if status in GONE and operation == "update":
        return {"fate": "missing"}
    if status in BARRING or (status in GONE and not placed):
        return {"fate": "barred"}
    return {"fate": "rejected"}


def document_of(response: Response) -> Any:
    """The JSON of an answer; None where there is none: what was asked for has happened all the same."""
    if response.document is not None:
        return response.document
    if not response.body:
        return None
    try:
        return decode_json_body(response)
    except RequestError:
        return None


def unreadable(response: Response) -> str | None:
    """Why an answer of success says nothing about what was asked for: a page for people, or half a document (R18).

    Other text, or none, is how some APIs say that it is done.
    """
    if response.document is not None or not response.body.strip():
        return None
    kind = response.headers.get("Content-Type", "").lower()
    if "html" in kind or response.body.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return f"the API answered {response.status} with a page for people"
    if "json" in kind and document_of(response) is None and response.body.strip() != b"null":
        return f"the API answered {response.status} with a document that breaks off or cannot be read"
    return None


def _has_data(document: Any) -> bool:
    """Whether a mutation was carried out all the same: what it gives is there, and only something within it is not."""
    data = document.get("data") if isinstance(document, dict) else None
    return isinstance(data, dict) and any(value is not None for value in data.values())


def _user_errors(document: Any) -> Any:
    """The errors that a mutation's own payload lists."""
    data = document.get("data") if isinstance(document, dict) else None
    for payload in data.values() if isinstance(data, dict) else ():
        for name in ("userErrors", "errors", "mutationErrors", "validationErrors"):
            if isinstance(payload, dict) and payload.get(name):
                return payload[name]
    return None


def _unwrapped(item: Any) -> Any:
    """The inner object of {"create": {"status": 201, …}}."""
    if isinstance(item, dict) and len(item) == 1:
        (inner,) = item.values()
        if isinstance(inner, dict) and inner.keys() & {"status", "_id", "id", "error"} and "error" not in item:
            return inner
    return item
