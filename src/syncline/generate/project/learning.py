"""What can be found out about the API that was named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from syncline.errors import AuthError, SynclineError
from syncline.generate.inference import Api, Credentials, Guess, discover
from syncline.generate.project.naming import integration_name, variable_prefix
from syncline.generate.project.ways import auth_block
from syncline.secrets import references, resolve


class NeedsCredentials(AuthError):
    """The API shows nothing to strangers. `api` is what it showed; `names` are the variables that would let it be asked."""

    def __init__(self, what: str, api: Api, names: Sequence[str]) -> None:
        hint = f"put {', '.join(names)} into .env or the environment, and run it again" if names else None
        super().__init__(what, hint=hint or "say how requests are authorised: --auth bearer, basic or api_key")
        self.api, self.names = api, tuple(names)


async def learn(origins: Sequence[str], source: str | None, auth: str | None = None) -> Api:
    """Everything that these say, and an API of that name of which nothing is known where there are none.

    An origin is the path or address of a document, a curl command, or the address of an API, which is asked: read-only, and with
    the credentials of kind `auth` where the environment or `.env` has them. So is `source` where it is an address and there are no
    origins. Raises DocumentError for what cannot be read, NeedsCredentials, and what asking raises.
    """
    sources: list[str | Path] = [_source(origin) for origin in origins]
    if not sources and source is not None and "://" in source:
        sources = [source]
    if not sources:
        return Api(name=integration_name(source or "api"), title=source or "", base_url=Guess())
    name = source if source is not None and "://" not in source else None
    credentials, missing = _credentials(name or _host(sources), auth)
    try:
        api = await discover(sources, credentials=credentials, folder=Path.cwd())
    except AuthError as error:
        raise NeedsCredentials(error.what, Api(name=integration_name(name or _host(sources))), missing) from None
    api = msgspec.structs.replace(api, title=name, name=integration_name(name)) if name else api
    refused = [line for guess in api.auth for line in guess.evidence if line.startswith(("401", "403"))]
    if refused and not api.entities:
        raise NeedsCredentials(f"the API wants credentials: {refused[0]}", api, missing)
    return api


def _source(origin: str) -> str | Path:
    return origin if origin.startswith(("http://", "https://", "curl ")) else Path(origin)


def _host(sources: Sequence[str | Path]) -> str:
    return next((urlsplit(one).hostname or "api" for one in sources if isinstance(one, str)), "api")


def _credentials(name: str, auth: str | None) -> tuple[Credentials | None, list[str]]:
    """What can be sent, or the names of the variables that are missing for it."""
    if auth in (None, "none"):
        return None, []
    prefix = variable_prefix(integration_name(name))
    block, _ = auth_block(Api(name=integration_name(name)), auth, prefix)
    given = Credentials.model_validate({"auth": block})
    names = [one for _, reference in references(given) for one in reference.names()]
    try:
        resolve(given, os.environ, Path.cwd())
    except SynclineError:
        return None, names
    return given, []
