"""From an answer's bytes to its document; every way in which they can be something else has a name."""

from __future__ import annotations

from typing import Any

from syncline.errors import BodyError, BrokenBodyError
from syncline.http.snippets import is_markup, page_title, printable
from syncline.model import BodyTooDeep, MalformedBody, Response, decode_json

WITHOUT_BODY = frozenset({204, 205, 304})


def decode_json_body(response: Response) -> Any:
    """The JSON document of an answer; None for a status that has none. For use as `Request.decode`.

    Raises BrokenBodyError, worth another attempt, for an empty body, HTML, or half a document; BodyError for one too deep.
    """
    if response.status in WITHOUT_BODY:
        return None
    _refuse_what_is_not_json(response)
    return _decode(response, response.body)


def decode_ndjson_body(response: Response) -> list[Any]:
    """The documents of an answer with one JSON document a line; blank lines are skipped, no lines are no documents.

    Raises as `decode_json_body` does, naming the line.
    """
    if is_markup(response):
        _refuse_what_is_not_json(response)
    return [
        _decode(response, line, number) for number, line in enumerate(response.body.split(b"\n"), 1) if line.strip()
    ]


def _decode(response: Response, body: bytes, line: int | None = None) -> Any:
    place = f"line {line} of the answer" if line else "the answer"
    try:
        return decode_json(body)
    except BodyTooDeep as error:
        raise BodyError(
            f"{place} cannot be read safely: {error}",
            status=response.status,
            hint="no honest API nests so deep; check base_url, and ask the provider",
            request_id=response.request_id,
        ) from None
    except MalformedBody as error:
        raise BrokenBodyError(
            f"{place} is not JSON: {error}",
            status=response.status,
            evidence=_ends(body),
            hint="if it stays, check the stream's path and format",
            request_id=response.request_id,
        ) from None


def _refuse_what_is_not_json(response: Response) -> None:
    if not response.body:
        raise BrokenBodyError(
            f"an empty answer came with status {response.status}",
            status=response.status,
            hint="if this API answers so when there is nothing, say so: on_status: {204: ignore} needs its 204",
            request_id=response.request_id,
        )
    if is_markup(response):
        title = page_title(response)
        said = response.headers.get("Content-Type", "")
        raise BrokenBodyError(
            f"{'HTML' if 'html' in said.lower() or title else 'markup'} came instead of JSON",
            status=response.status,
            evidence=f"a page titled '{title}'"
            if title
            else printable(response.body[:400].decode("utf-8", "replace"), 120),
            cause="a log-in, maintenance or error page, or an address that is not the API's",
            hint="open the address in a browser; check base_url, the path and the credentials",
            request_id=response.request_id,
        )


def _ends(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return printable(text, 160) if len(text) <= 160 else f"{printable(text[:80], 80)} … {printable(text[-60:], 60)}"
