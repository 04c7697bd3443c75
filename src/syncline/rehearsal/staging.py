"""The integration as it goes on stage: unchanged in all it says, with made-up secrets, and scratch in the destination's place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncline.destinations import Destination
from syncline.engine import resolved
from syncline.http import Connection
from syncline.http.tokens.choosing import MEMORY
from syncline.http.tokens.identity import Worth, token_auth, worth_of
from syncline.http.tokens.kept import Kept
from syncline.model import Part, Reference, Secret, Token, reveal
from syncline.rehearsal.materials import made_key, materials_in
from syncline.rehearsal.scratch import Scratch
from syncline.rehearsal.simulator.blueprint import Blueprint
from syncline.rehearsal.simulator.tokens import TokenDoor
from syncline.secrets import references
from syncline.spec import Integration

ADDRESS = re.compile(r"(^|\.)(base_url|\w+_url|url|issuer|audience)$")
VARIABLE = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)")


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """`integration` refers to variables only, and all of them are in `environment`. `instead` says what was put in whose place."""

    integration: Integration
    environment: dict[str, str]
    folder: Path
    scratch: Scratch
    """Where rows go, and how that is read."""
    instead: tuple[str, ...]
    blueprints: dict[str, Blueprint]
    """How each stream's records look, as soon as somebody has found out."""


def staged(
    integration: Integration,
    seed: int,
    folder: Path,
    blueprints: dict[str, Blueprint] | None = None,
    scratch: Scratch | None = None,
) -> Staged:
    """Everything below `folder` is the rehearsal's own, and so is `scratch` (by default within it).

    Neither production data nor a credential of the API is touched.
    """
    scratch = scratch or Scratch(folder)
    instead: list[str] = []
    destination = integration.destination
    assert isinstance(destination, Destination)
    changes = {
        "source": _alone(integration.source),
        "destination": _alone(scratch.destination(destination, instead)),
        "state": f"sqlite:///{folder}/state.db",
        "tokens": None,
        "alerts": (),
    }
    plain = integration.model_copy(update=changes)
    environment: dict[str, str] = {}
    names: dict[str, str] = {}
    materials = dict(materials_in(plain))
    for path, reference in references(plain):
        for name in reference.names():
            variable = names.setdefault(name, _variable(name))
            if variable not in environment or ADDRESS.search(path):
                made = _made_up(variable, path, reference.text, seed)
                environment[variable] = made_key(materials[path], made) if path in materials else made
    return Staged(
        integration=_renamed(plain, names),
        environment=environment | scratch.environment,
        folder=folder,
        scratch=scratch,
        instead=tuple(instead),
        blueprints={} if blueprints is None else blueprints,
    )


async def origins_of(on_stage: Staged) -> list[str]:
    """Every origin that the integration asks: its own, that of its tokens, that of its destination."""
    complete = await resolved(on_stage.integration, on_stage.environment, on_stage.folder)
    found: list[str] = []
    for end in (complete.source, complete.destination):
        if isinstance(end, Connection):
            found += [reveal(end.base_url), *(end.auth.addresses if end.auth else ())]
    return list(dict.fromkeys(f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, found)))


def relocated(on_stage: Staged, addresses: Mapping[str, str]) -> Staged:
    """The same with other addresses, for a simulator on loopback."""
    integration = on_stage.integration
    changes: dict[str, Any] = {
        name: _moved(part, addresses)
        for name, part in (("source", integration.source), ("destination", integration.destination))
        if isinstance(part, Connection)
    }
    if worth_of_token(integration) != "everything":
        changes["tokens"] = MEMORY  # no key is made in anybody's home, and nothing is left behind
    environment = {name: moved(value, addresses) for name, value in on_stage.environment.items()}
    return msgspec.structs.replace(
        on_stage, integration=integration.model_copy(update=changes), environment=environment
    )


def worth_of_token(integration: Integration) -> Worth:
    source = integration.source
    holder = token_auth(source.auth) if isinstance(source, Connection) else None
    return "nothing" if holder is None else worth_of(holder)


def _moved(value: Any, addresses: Mapping[str, str]) -> Any:
    """Addresses that stand in the file as they are."""
    if isinstance(value, Part):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        moves = {
            name: moved(text, addresses) for name, text in fields.items() if type(text) is str and ADDRESS.search(name)
        }
        parts = {
            name: moved_part
            for name, part in fields.items()
            if isinstance(part, Part | tuple) and (moved_part := _moved(part, addresses)) != part
        }
        return value.model_copy(update={**parts, **moves})
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_moved(inner, addresses) for inner in value)
    return value


def moved(text: str, addresses: Mapping[str, str]) -> str:
    """An address with another origin in the place of its own."""
    for origin, ours in addresses.items():
        if text == origin or text.startswith(f"{origin}/"):
            return ours + text[len(origin) :]
    return text


def _variable(name: str) -> str:
    found = VARIABLE.fullmatch(name)
    return found[1] if found else "REHEARSED_" + hashlib.blake2b(name.encode(), digest_size=4).hexdigest().upper()


def _made_up(variable: str, path: str, text: str, seed: int) -> str:
    """A host or an origin where an address is expected, and a canary anywhere else."""
    if ADDRESS.search(path):
        host = f"{variable.lower().replace('_', '-')}.test"
        return host if f"://${{{variable}" in text.replace("env:", "") else f"https://{host}"
    digest = hashlib.blake2b(f"{seed}:{variable}".encode(), digest_size=16).hexdigest()
    return f"rehearsed-{variable.lower()}-{digest}"


def _renamed(part: Integration, names: dict[str, str]) -> Integration:
    """References to managers and files become references to variables."""
    others = {name: variable for name, variable in names.items() if name != variable}
    return _replaced(part, others) if others else part


def _replaced(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, Reference):
        text = value.text
        for name, variable in names.items():
            text = text.replace(f"${{{name}}}", f"${{{variable}}}")
        return Reference(text)
    if isinstance(value, Part):
        old = {name: getattr(value, name) for name in type(value).model_fields}
        new = {name: _replaced(inner, names) for name, inner in old.items()}
        return value.model_copy(update={name: inner for name, inner in new.items() if inner != old[name]})
    if isinstance(value, dict):
        return {key: _replaced(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_replaced(inner, names) for inner in value)
    return value


def _alone(end: Part) -> Part:
    """Limits that are shared with production are not shared with it."""
    if not isinstance(end, Connection) or not end.rate_limit.shared:
        return end
    return end.model_copy(update={"rate_limit": end.rate_limit.model_copy(update={"shared": False})})


class MemoryStore:
    """Where a token outlives the runs of a rehearsal; it begins with that of somebody who has logged in."""

    shown = "the rehearsal's memory"

    def __init__(self, seed: int) -> None:
        refresh = Secret(TokenDoor.first_refresh(seed))
        self._kept = Kept(token=Token(access=Secret("rehearsed-old"), refresh=refresh, expires_at=0.0))

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        yield

    async def load(self) -> Kept:
        return self._kept

    async def save(self, kept: Kept) -> Kept:
        self._kept = msgspec.structs.replace(kept, revision=self._kept.revision + 1)
        return self._kept
