"""What can be found out about the API that was named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from syncline.errors import AuthError, ClientError, UsageError
from syncline.generate.inference import Api, DocumentError, Guess, combine, probe, read
from syncline.generate.project.naming import integration_name
from syncline.http import Connection


async def learn(origins: Sequence[str], source: str | None) -> Api:
    """Everything that these say, the later outweighing the earlier; an API of that name, of which nothing is known, without any.

    An origin is the path or address of a document, a curl command, or the address of an API, which is probed. So is `source`
    where it is an address and there are no origins. Raises DocumentError for what cannot be read, and what asking raises.
    """
    live = [] if origins or source is None or "://" not in source else [source]
    told: list[Api] = []
    for origin in origins:
        if not origin.startswith(("http://", "https://")):
            told.append(read(origin if origin.startswith("curl ") else Path(origin)))
        elif (document := await _document(origin)) is not None:
            told.append(document)
        else:
            live.append(origin)
    for address in live:
        told.append(await probe(address, known=combine(*told) if told else None))
    if told:
        return combine(*told)
    return Api(name=integration_name(source or "api"), base_url=Guess(), title=source or "")


async def _document(address: str) -> Api | None:
    """The document at this address, or None where it answers anything else."""
    async with Connection(base_url=address).connect() as client:
        try:
            response = await client.send(client.request("GET", address))
        except AuthError as error:
            hint = "save the document to a file, or describe the API with --source, --entities and --auth"
            raise UsageError(f"{address} wants credentials: {error.what}", hint=hint) from None
        except ClientError:
            return None
    try:
        return read(response.body.decode("utf-8-sig", errors="replace"), address=address)
    except DocumentError:
        return None
