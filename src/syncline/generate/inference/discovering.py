"""Everything that can be found out from what somebody has: documents, recordings, addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from syncline.errors import UsageError
from syncline.generate.inference.api import Api
from syncline.generate.inference.combining import combine
from syncline.generate.inference.probing import Credentials, probe
from syncline.generate.inference.probing.probe import MOST, RATE
from syncline.generate.inference.reading import read
from syncline.http import Send
from syncline.model import Clock


async def discover(
    sources: Sequence[str | Path],
    *,
    credentials: Credentials | None = None,
    most: int = MOST,
    rate: str = RATE,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    clock: Clock | None = None,
    transport: Send | None = None,
) -> Api:
    """One value out of several sources: files and texts are read first, then addresses are asked, knowing what was read.

    An address may be that of a document, too. Raises DocumentError for what cannot be read, and as `probe` does.
    """
    if not sources:
        raise UsageError("there is nothing to learn from", hint="name a document, or the address of a list")
    known: Api | None = None
    for source in (one for one in sources if not is_address(one)):
        found = read(source)
        known = found if known is None else combine(known, found)
    for source in (one for one in sources if is_address(one)):
        # what is known goes in, and comes back combined with what was answered
        known = await probe(
            str(source),
            credentials=credentials,
            known=known,
            most=most,
            rate=rate,
            environment=environment,
            folder=folder,
            clock=clock,
            transport=transport,
        )
    assert known is not None
    return known


def is_address(source: str | Path) -> bool:
    """Whether a source is to be asked rather than read."""
    return isinstance(source, str) and source.startswith(("http://", "https://"))
