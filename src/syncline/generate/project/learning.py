"""What can be found out about the API that was named."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncline.errors import AuthError, SynclineError, UsageError
from syncline.generate.inference import Api, Credentials, Entity, Guess, combine, probe, read
from syncline.generate.project.answers import Answers
from syncline.generate.project.naming import integration_name, stream_name, variable_prefix
from syncline.generate.project.ways import auth_block
from syncline.secrets import references, resolve
from syncline.secrets.dotenv import read_dotenv


class Learned(msgspec.Struct, kw_only=True):
    """What is known of an API. `trouble` is why it could not be asked itself, `missing` which variables would let it be asked."""

    api: Api
    trouble: SynclineError | None = None
    missing: tuple[str, ...] = ()
    live: bool = False
    """It was asked, and answered."""


async def learn(origins: Sequence[str], answers: Answers) -> Learned:
    """Everything that these say; an API of that name, of which nothing is known, where there is nothing else.

    An origin is the path or address of a document, a curl command, or the address of an API. So is `answers.source` where it is an
    address and there are no origins; its `entities` are looked for below it. An API is asked read-only, with the credentials
    answered as far as the environment or `.env` has them; one that cannot be asked stops nothing. Raises DocumentError.
    """
    source, name = answers.source, _name(answers.source)
    documents = [read(one if one.startswith("curl ") else Path(one)) for one in origins if not _is_address(one)]
    addresses = [one for one in origins if _is_address(one)]
    if not origins and source is not None and _is_address(source):
        addresses = _below(source, answers.entities)
    api = combine(*documents) if documents else None
    credentials, missing = _credentials(name or _host(addresses), answers)
    trouble: SynclineError | None = None
    live = False
    for address in addresses:
        try:
            api = await probe(address, credentials=credentials, known=api, folder=Path.cwd())
            live = True
        except UsageError:
            raise
        except SynclineError as error:
            trouble = trouble or error
    if api is None:
        told: Guess[str] = Guess(source, 1.0, ("you said so",)) if source and _is_address(source) else Guess()
        api = Api(name=integration_name(name or _host(addresses)), base_url=told)
    if live and not api.entities and (refusal := _refusal(api)):
        live, trouble = False, AuthError(f"the API wants credentials: {refusal}")
    if not api.entities and trouble is not None and len(addresses) == 1:
        api = msgspec.structs.replace(api, entities=_named_by(addresses[0], api))
    if name:
        api = msgspec.structs.replace(api, title=name, name=integration_name(name))
    return Learned(api=api, trouble=trouble, missing=tuple(missing), live=live)


def surroundings() -> Mapping[str, str]:
    """The variables that are set here: in the environment, and in the `.env` of the working directory."""
    here = Path(".env")
    return {**(read_dotenv(here) if here.is_file() else {}), **os.environ}


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _name(source: str | None) -> str | None:
    return source if source is not None and "://" not in source else None


def _host(addresses: Sequence[str]) -> str:
    """A name out of an address; a number says nothing to people."""
    names = (host for one in addresses if (host := urlsplit(one).hostname))
    return next((name for name in names if any(character.isalpha() for character in name)), "api")


def _below(source: str, entities: Sequence[str]) -> list[str]:
    base = source.rstrip("/")
    return [source if base.endswith(f"/{entity}") else f"{base}/{entity}" for entity in entities] or [source]


def _refusal(api: Api) -> str | None:
    lines = (line for guess in api.auth for line in guess.evidence)
    return next((line for line in lines if line.startswith(("401", "403"))), None)


def _named_by(address: str, api: Api) -> tuple[Entity, ...]:
    """The list whose address was given, though nobody could look at it."""
    base = (api.base_url.value or "").rstrip("/")
    rest = urlsplit(address).path.removeprefix(urlsplit(base).path) if base and address.startswith(base) else ""
    return (Entity(name=stream_name(rest.rpartition("/")[2]), path=rest),) if rest.strip("/") else ()


def _credentials(name: str, answers: Answers) -> tuple[Credentials | None, list[str]]:
    """What can be sent, or the names of the variables that are missing for it."""
    block: Any = None
    if answers.auth not in (None, "none"):
        block, _ = auth_block(Api(name=integration_name(name)), answers.auth, variable_prefix(integration_name(name)))
    given = Credentials.model_validate({"auth": block, "headers": answers.headers})
    if not given.given:
        return None, []
    try:
        resolve(given, os.environ, Path.cwd())
    except SynclineError:
        return None, [one for _, reference in references(given) for one in reference.names()]
    return given, []
