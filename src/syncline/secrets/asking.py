"""What managers behind HTTP have in common: one question, its answer, and what it means when there is none."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from syncline.errors import RequestError
from syncline.model import BodyTooDeep, MalformedBody, Request, Response, decode_json, encode_json
from syncline.secrets.managers import Missing, Step, Surroundings

Asking = Generator[Step, Any, Any]
LAST_ATTEMPT = 100
"""So counted, an attempt has no successor: where no metadata server is, asking again only takes time."""

_LONGEST = 160


def ask(request: Request, who: str, fixes: Mapping[int, str], *, fix: str) -> Asking:
    """The JSON document of the answer. `fixes` by status, `fix` for everything else. Raises Missing."""
    response = yield from answer_to(request, who, fix)
    if not 200 <= response.status < 300:
        said = f": {message}" if (message := _message(response)) else ""
        raise Missing(f"{who} answered {response.status}{said}", fixes.get(response.status, fix))
    try:
        document = decode_json(response.body)
    except (MalformedBody, BodyTooDeep):
        document = None
    if not isinstance(document, dict):
        raise Missing(f"{who} did not answer with a JSON object", fix)
    return document


def answer_to(request: Request, who: str, fix: str) -> Generator[Step, Any, Response]:
    """The answer, of any status. Raises Missing where there is none."""
    try:
        response: Response = yield request
    except RequestError as error:
        said = f" ({error.evidence})" if error.status and error.evidence else ""
        raise Missing(f"{who} cannot be asked: {error.what}{said}", fix) from None
    return response


def once(around: Surroundings, key: str, make: Callable[[], Asking]) -> Asking:
    """What `make` comes to, asked for once in a resolution; a failure is remembered as well."""
    if key not in around.memo:
        try:
            around.memo[key] = yield from make()
        except Missing as missing:
            around.memo[key] = missing
    found = around.memo[key]
    if isinstance(found, Missing):
        raise Missing(found.what, found.fix)
    return found


def split_field(name: str) -> tuple[str, str | None]:
    """`path#field` in its two halves."""
    path, mark, field = name.partition("#")
    return path, field if mark else None


def field_of(value: Any, field: str | None, reference: str) -> str:
    """The text of one field of a secret that has several, or the whole of one that has none. Raises Missing."""
    if isinstance(value, str) and field is not None:
        try:
            value = decode_json(value.encode())
        except (MalformedBody, BodyTooDeep):
            raise Missing(f"{reference}: the secret is plain text, without fields", "leave #… away") from None
    if isinstance(value, dict):
        if field is None and len(value) == 1:
            field = next(iter(value))
        if field is None or field not in value:
            has = ", ".join(sorted(value)[:12]) or "nothing"
            what = "has several fields" if field is None else f"has no field {field!r}"
            raise Missing(f"{reference}: the secret {what}; there is: {has}", "name one of them: #field")
        value = value[field]
    elif field is not None:
        raise Missing(f"{reference}: the secret has no fields", "leave #… away")
    text = value if isinstance(value, str) else "" if value is None else encode_json(value).decode()
    if not text:
        raise Missing(f"{reference}: the value is empty", "store a value there")
    return text


def safe(url: str, name: str, *, also: frozenset[str] = frozenset()) -> str:
    """The address without a slash at its end, if secrets may travel there: https, this machine, or a host in `also`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise Missing(f"{name} is not an address", f"write it as {name}=https://host:port")
    if parts.scheme == "http" and host not in also and not _is_loopback(host):
        raise Missing(f"{name} is plain http, where everybody can read the secret", f"write {name}=https://…")
    return url.rstrip("/")


def private_text(path: Path, what: str, fix: str) -> str:
    """The content of a small file that holds a credential. Raises Missing."""
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise Missing(f"{what} {path} cannot be read: {reason}", fix) from None
    if not text:
        raise Missing(f"{what} {path} is empty", fix)
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _message(response: Response) -> str:
    """The service's own words, of an answer that is no success and so holds no secret of the store."""
    try:
        document = decode_json(response.body[:65_536])
    except (MalformedBody, BodyTooDeep):
        return ""
    found = document
    for key in ("error", "errors", "message", "Message", "error_description", "__type", "code"):
        if isinstance(document, dict) and document.get(key):
            found = document[key]
            break
    if isinstance(found, list):
        found = "; ".join(str(one) for one in found[:3])
    if isinstance(found, dict):
        found = found.get("message") or found.get("status") or found.get("code") or ""
    text = "" if isinstance(found, dict) else " ".join(str(found).split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
