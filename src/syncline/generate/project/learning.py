"""What can be found out about the API that was named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from syncline.errors import ClientError, UsageError
from syncline.generate.inference import Api, Guess, read
from syncline.generate.project.naming import integration_name
from syncline.http import Connection


async def learn(origins: Sequence[str], source: str | None) -> Api:
    """Everything that these documents say; an API of that name or address about which nothing is known, where there are none.

    A document is a path or an address. Raises DocumentError for what cannot be read, and what asking for it raises.
    """
    if not origins:
        address = source if source is not None and "://" in source else None
        base: Guess[str] = Guess(address, 1.0, ("you said so",)) if address else Guess()
        return Api(name=integration_name(source or "api"), base_url=base, title=source or "")
    if len(origins) > 1:
        raise UsageError("one document at a time is understood", hint="--from FILE")
    (origin,) = origins
    if not origin.startswith(("http://", "https://")):
        return read(Path(origin))
    return read(await _fetched(origin), address=origin)


async def _fetched(address: str) -> str:
    async with Connection(base_url=address).connect() as client:
        try:
            response = await client.send(client.request("GET", address))
        except ClientError as error:
            raise UsageError(f"there is no document at {address}: {error.what}", hint="--from FILE or URL") from None
    return response.body.decode("utf-8-sig", errors="replace")
