"""Documents of strangers as plain data: bounded in size, depth and number of values, whatever is in them (S23)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from syncline.errors import UsageError
from syncline.model import BodyTooDeep, MalformedBody, decode_json

MAX_BYTES = 40_000_000
MAX_VALUES = 5_000_000
MAX_DEPTH = 200
MAX_YAML_ALIASES = 10_000


class DocumentError(UsageError):
    """A document that cannot be read, or is none of those that can."""

    code = "document"


class _Loader(yaml.CSafeLoader):
    """YAML without dates, which are text in JSON, and without anything that makes objects."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_text(path: Path) -> str:
    """A file's text. Raises DocumentError for one that is not there, too large or not text."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"{path} cannot be read", evidence=str(error), hint="check the path") from None
    return as_text(data, str(path))


def as_text(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise DocumentError(
            f"{name} is larger than {MAX_BYTES // 1_000_000} MB", hint="cut it down to the paths that you want"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{name} is not text", evidence=f"byte {error.start} is not UTF-8") from None


def parse(text: str, name: str) -> Any:
    """The data of a JSON or YAML document. Raises DocumentError."""
    if len(text) > MAX_BYTES:
        raise DocumentError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB", hint="cut it down")
    data = _json(text, name) if text.lstrip()[:1] in ("{", "[") else _yaml(text, name)
    _measure(data, name)
    return data


def _json(text: str, name: str) -> Any:
    try:
        return decode_json(text)
    except BodyTooDeep as error:
        raise DocumentError(f"{name} cannot be read safely: {error}") from None
    except MalformedBody as error:
        try:
            return _yaml(text, name)  # flow style YAML begins like JSON
        except DocumentError:
            raise DocumentError(f"{name} is not JSON: {error}", hint="check that the file is whole") from None


def _yaml(text: str, name: str) -> Any:
    if text.count("*") > MAX_YAML_ALIASES and sum(1 for _ in _aliases(text)) > MAX_YAML_ALIASES:
        raise DocumentError(f"{name} has more than {MAX_YAML_ALIASES} aliases")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 – a safe loader, with less than the standard one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise DocumentError(f"{name} is neither JSON nor YAML", evidence=said, hint="check the file") from None


def _aliases(text: str) -> Any:
    try:
        yield from (event for event in yaml.parse(text, Loader=_Loader) if isinstance(event, yaml.AliasEvent))
    except yaml.YAMLError:
        return


def _measure(data: Any, name: str) -> None:
    """Refuse what would never end: aliases that multiply or hold themselves, and nesting without bound."""
    level, count = [data], 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += [inner for inner in value.values() if isinstance(inner, dict | list)]
                count += len(value)
            elif isinstance(value, list):
                below += [inner for inner in value if isinstance(inner, dict | list)]
                count += len(value)
            if count > MAX_VALUES:
                raise DocumentError(f"{name} holds more than {MAX_VALUES:,} values", hint="cut it down")
        if not below:
            return
        level = below
    raise DocumentError(f"{name} nests more than {MAX_DEPTH} levels deep")
