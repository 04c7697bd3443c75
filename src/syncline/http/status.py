"""A status that is not success, as an error with what the API said and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from syncline.errors import AuthError, ClientError, ForbiddenError, RateLimitedError, RequestError, ServerError
from syncline.http.snippets import api_message
from syncline.model import Request, Response
from syncline.resilience import rate_limited, retry_after

HINTS = {
    400: "compare the request's parameters with the API's documentation",
    401: "check that the credentials are set and not revoked",
    402: "the account's plan or payment does not cover this; look into it at the provider",
    403: "ask for the missing scope or permission, or check that these credentials belong to this account",
    404: "check base_url and the stream's path; on_status: {404: ignore} skips what is not there",
    405: "check the stream's method",
    406: "check the Accept header",
    408: "try again; if it stays, ask for smaller pages",
    409: "somebody else changed it at the same time; on_status: {409: retry} tries again",
    410: "this resource or API version is gone; check the path, or start over with --full if a cursor has run out",
    413: "send less at once: a smaller batch",
    414: "the address is too long: fewer or shorter parameters",
    415: "check the Content-Type header",
    422: "the API understood the request but refuses its values; its own message says which",
    426: "the API wants another protocol; check base_url",
    429: "lower rate_limit, or raise retry.max_wait to wait longer",
    431: "the request's headers are too large",
    451: "not available for legal reasons",
}


def status_error(
    request: Request, response: Response, *, attempts: int | None = None, now: datetime | None = None
) -> RequestError:
    """The error for an answer that is not 2xx. `attempts` where all of them were used; `now` where dates may matter."""
    status = response.status
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    tried = f" after {attempts} attempts" if attempts and attempts > 1 else ""
    limited = rate_limited(response)
    kind: type[RequestError] = ClientError
    hint = HINTS.get(status, "compare the request with the API's documentation")
    if status >= 500:
        kind, hint = ServerError, "the API is unwell; run again later, the checkpoint is kept"
    elif limited:
        kind, hint = RateLimitedError, HINTS[429]
    elif status == 401:
        kind = AuthError
    elif status == 403:
        kind = ForbiddenError
    elif status < 400:
        hint = "this redirect cannot be followed; write the final address into base_url or path"
    return kind(
        f"{request.shown} answered {phrase}{tried}",
        status=status,
        retry_after=retry_after(response, now or datetime.now(UTC)),
        evidence=api_message(response),
        hint=hint,
        request_id=response.request_id,
        attempts=attempts,
    )
