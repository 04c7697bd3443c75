"""An OpenAPI document (2.0, 3.0, 3.1, 3.2) as operations, security schemes and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from syncline.generate.inference.addresses import safe_address
from syncline.generate.inference.known import Known
from syncline.generate.inference.openapi.references import References
from syncline.generate.inference.openapi.schemas import Schemas
from syncline.generate.inference.openapi.security import read_schemes, read_security
from syncline.generate.inference.operation import Operation, Parameter, Where
from syncline.generate.inference.schema import Schema, of_samples

MAX_OPERATIONS = 5_000
_JSON = re.compile(r"(application|text)/([\w.+-]*\+)?(json|hal)\b|\*/\*|application/\*", re.I)


def is_openapi(data: Any) -> bool:
    """Whether this is an OpenAPI document of a version that is known."""
    if not isinstance(data, dict):
        return False
    version = str(data.get("openapi") or data.get("swagger") or "")
    return re.match(r"2\.0|3\.\d", version) is not None


def read_openapi(data: dict[str, Any], source: str, *, address: str | None = None) -> Known:
    """What an OpenAPI document says. `address` is where it was got from: relative servers start there."""
    return _Document(data, source, address).read()


class _Document:
    def __init__(self, data: dict[str, Any], source: str, address: str | None) -> None:
        self.data, self.source, self.address = data, source, address
        self.old = "swagger" in data
        self.references = References(data)
        self.schemas = Schemas(self.references)

    def read(self) -> Known:
        operations = tuple(self._operations())
        info = _object(self.data.get("info"))
        notes = [
            f"a reference leads out of the document and was not followed: {target}"
            for target in sorted(self.references.elsewhere)[:5]
        ]
        return Known(
            title=str(info.get("title") or ""),
            description=self._prose(info),
            base_url=self._base_url(),
            operations=operations,
            schemes=read_schemes(self.data, self.references),
            security=read_security(self.data.get("security")),
            documents=tuple(self._links(info)),
            notes=tuple(notes),
            source=self.source,
        )

    def _prose(self, info: dict[str, Any]) -> str:
        """What is said of the whole API: its description, and those of its tags, where some explain how to log in."""
        tags = [str(_object(tag).get("description") or "") for tag in _list(self.data.get("tags"))]
        return "\n".join([str(info.get("description") or ""), *tags])[:40_000]

    def _links(self, info: dict[str, Any]) -> Iterator[str]:
        for place in (_object(self.data.get("externalDocs")), _object(info.get("contact"))):
            address = place.get("url")
            if isinstance(address, str) and re.fullmatch(r"https?://[^\s<>\"']{1,500}", address):
                yield address

    def _base_url(self) -> str | None:
        if self.old:
            host = str(self.data.get("host") or "") or _host_of(self.address)
            schemes = [str(scheme) for scheme in _list(self.data.get("schemes"))]
            scheme = "https" if "https" in schemes or not schemes else schemes[0]
            return (
                safe_address(f"{scheme}://{host}{str(self.data.get('basePath') or '').rstrip('/')}") if host else None
            )
        for server in _list(self.data.get("servers")):
            text = str(_object(server).get("url") or "")
            for name, variable in _object(_object(server).get("variables")).items():
                text = text.replace("{" + str(name) + "}", str(_object(variable).get("default") or ""))
            address = safe_address(text, self.address)
            if address is not None:
                return address.partition("?")[0].partition("#")[0].rstrip("/")
        return None

    def _operations(self) -> Iterator[Operation]:
        count = 0
        for path, item in _object(self.data.get("paths")).items():
            shared = self.references.follow(item)
            for method in ("get", "post", "put", "patch", "delete"):
                if not isinstance(shared.get(method), dict):
                    continue
                count += 1
                if count > MAX_OPERATIONS:
                    return
                yield self._operation(str(path), method, shared, shared[method])

    def _operation(self, path: str, method: str, shared: dict[str, Any], node: dict[str, Any]) -> Operation:
        responses = _object(node.get("responses"))
        # only what is read is looked into: most of a large document is about changing things
        answer, headers = self._answer(responses) if method == "get" else (None, {})
        return Operation(
            path=path if path.startswith("/") else f"/{path}",
            method=method.upper(),
            name=str(node.get("operationId") or ""),
            summary=str(node.get("summary") or "")[:500],
            description=str(node.get("description") or "")[:5_000],
            parameters=tuple(self._parameters(shared, node)),
            answer=answer,
            headers=headers,
            security=read_security(node.get("security")),
            deprecated=node.get("deprecated") is True,
            statuses=frozenset(str(status) for status in responses),
            source=self.source,
        )

    def _parameters(self, shared: dict[str, Any], node: dict[str, Any]) -> Iterator[Parameter]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for listed in (_list(shared.get("parameters")), _list(node.get("parameters"))):
            for one in listed:
                parameter = self.references.follow(one)
                found[(str(parameter.get("name")), str(parameter.get("in")))] = parameter
        for (name, where), parameter in found.items():
            if where in ("query", "header", "path", "cookie"):
                yield from self._parameter(name, where, parameter)  # type: ignore[arg-type]

    def _parameter(self, name: str, where: Where, node: dict[str, Any]) -> Iterator[Parameter]:
        written = node if self.old else node.get("schema") or next(iter(_media(node.get("content"))), {})
        schema = self.schemas.read(written)
        if schema.type == "object" and schema.properties and where == "query":
            deep = node.get("style") == "deepObject"
            for key, inner in schema.properties.items():
                yield Parameter(
                    name=f"{name}[{key}]" if deep else key,
                    schema=inner,
                    description=inner.description,
                    default=None,
                )
            if deep:
                return
        plain = self.references.follow(written)
        choices = _list(plain.get("enum")) or _list(_object(plain.get("items")).get("enum"))
        example = node.get("example", plain.get("example"))
        most = plain.get("maximum")
        yield Parameter(
            name=name,
            where=where,
            schema=schema,
            required=node.get("required") is True,
            description=str(node.get("description") or schema.description)[:1_000],
            default=plain.get("default"),
            example=example,
            choices=tuple(choices[:50]),
            most=int(most) if isinstance(most, int) and 0 < most < 10**9 else None,
        )

    def _answer(self, responses: dict[str, Any]) -> tuple[Schema | None, dict[str, str]]:
        by_status = {str(status): response for status, response in responses.items()}
        good = sorted(status for status in by_status if re.fullmatch(r"2(\d\d|XX)", status, re.I))
        for status in [*good, "default"]:
            response = self.references.follow(by_status.get(status))
            schema = self._body(response)
            headers = {
                str(name).lower(): str(self.references.follow(header).get("description") or "")[:500]
                for name, header in _object(response.get("headers")).items()
            }
            if schema is not None or headers:
                return schema, headers
        return None, {}

    def _body(self, response: dict[str, Any]) -> Schema | None:
        bodies: list[tuple[Any, list[Any]]]
        if self.old:
            shown = [value for value in _object(response.get("examples")).values() if not isinstance(value, str)]
            bodies = [(response.get("schema"), shown)]
        else:
            media = _media_types(response.get("content"))
            bodies = [(one.get("schema"), list(self._examples(one))) for one in media]
        for written, examples in bodies:
            schema = self.schemas.read(written) if isinstance(written, dict) else Schema()
            empty = schema.type == "any" or (schema.type == "object" and not schema.properties)
            vague = schema.items is not None and (
                schema.items.type == "any" or (schema.items.type == "object" and not schema.items.properties)
            )
            if (empty or vague) and examples:
                return of_samples(examples)
            if not (empty and not schema.open) or schema.type != "any":
                return schema
        return None

    def _examples(self, media: dict[str, Any]) -> Iterator[Any]:
        if "example" in media:
            yield media["example"]
        for one in _object(media.get("examples")).values():
            value = self.references.follow(one).get("value")
            if value is not None:
                yield value


def _host_of(address: str | None) -> str:
    return urlsplit(str(address)).netloc if safe_address(address) else ""


def _media_types(content: Any) -> list[dict[str, Any]]:
    named = _object(content)
    return [_object(media) for name, media in named.items() if _JSON.match(str(name))]


def _media(content: Any) -> list[Any]:
    return [media.get("schema") for media in _media_types(content)]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
