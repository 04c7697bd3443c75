"""Ask the API for a few small pages of each stream, and keep what it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlencode

from syncline.engine.opening import opened_reader, prepared
from syncline.errors import PlanError
from syncline.model import Checkpoint, Clock, MalformedBody, Reference, Request, Secret, SystemClock, reveal
from syncline.recordings.answers import AskingOnce, Kept, Key
from syncline.recordings.paging import cursor_names, with_pages_of
from syncline.recordings.recording import Exchange, Recording, recordings_folder
from syncline.recordings.scrubbing import ELSEWHERE, MASK, Scrub
from syncline.sources import HttpSource
from syncline.spec import Integration, Stream, load

MOST_BYTES = 4_000_000


async def record(
    file: Path,
    *,
    streams: Sequence[str] | None = None,
    records: int = 5,
    pages: int = 2,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> list[tuple[Path, Recording]]:
    """Up to `pages` pages of about `records` records of each stream, scrubbed, with the paths where they belong; writes nothing.

    Raises what a run would raise, and PlanError for a stream whose answers are too large to keep.
    """
    clock = clock or SystemClock()
    written = load(file)
    ready = await prepared(file, environment, streams)
    shown = _Shown(written, ready.integration)
    about = f"What the API answered on {clock.now().date()}, without secrets. syncline test {file.name} plays it again."
    made = []
    for stream in ready.streams:
        small, size = with_pages_of(stream, records)
        answers = await _answers(ready.integration, small, pages, clock)
        scrub = Scrub(cursor_names(stream.pagination), shown.hidden)
        recording = Recording(
            about=about,
            stream=stream.name,
            base_url=shown.base_url,
            page_size=size,
            exchanges=[exchange_of(kept, shown.real, scrub) for kept in answers],
        )
        if len(recording.dumped()) > MOST_BYTES:
            raise PlanError(
                f"the answers of {stream.name} are larger than {MOST_BYTES:,} bytes",
                hint="give its pagination a limit_param, or record fewer --pages",
            )
        made.append((recordings_folder(file, written) / f"{stream.name}.json", recording))
    return made


class _Shown:
    """The address as the recording tells it: where the file has it by reference, another origin stands for it."""

    def __init__(self, written: Integration, resolved: Integration) -> None:
        source = resolved.source
        assert isinstance(source, HttpSource)
        assert isinstance(written.source, HttpSource)
        self.real = reveal(source.base_url)
        self.base_url = self.real
        self.hidden: str | None = None
        if isinstance(written.source.base_url, Reference):
            scheme, rest = self.real.split("://", 1)
            self.hidden = f"{scheme}://{rest.partition('/')[0]}"
            self.base_url = self.real.replace(self.hidden, ELSEWHERE, 1)


async def _answers(integration: Integration, stream: Stream, most: int, clock: Clock) -> list[Kept]:
    """What is asked for on the way to so many pages with records, parents' pages included."""
    others = tuple(stream if one.name == stream.name else one for one in integration.streams)
    answers: dict[Key, Kept] = {}
    async with opened_reader(integration.model_copy(update={"streams": others}), clock) as reader:
        reader.client = AskingOnce(reader.client, answers)
        async with aclosing(reader.pages(stream, Checkpoint(), ahead=False)) as pages:
            count = 0
            async for page in pages:
                count += bool(page.records)
                if page.last or count == most:
                    break
    return list(answers.values())


def request_line(request: Request, base: str) -> str:
    """`GET /orders?limit=5`: what tells a request from another, without its origin and without its secrets."""
    query = urlencode([(name, MASK if isinstance(value, Secret) else value) for name, value in request.params])
    address = request.url.removeprefix(base) if request.url.startswith(base) else request.url
    joined = "&" if "?" in address else "?"
    return f"{request.method} {address}{joined + query if query else ''}"


def exchange_of(kept: Kept, base: str, scrub: Scrub) -> Exchange:
    """The exchange without its secrets."""
    response = kept.response
    exchange = Exchange(
        request=scrub.text(request_line(kept.request, base)),
        body=scrub.data(kept.request.json),
        status=response.status,
        headers=scrub.headers(response.headers),
    )
    try:
        exchange.answer = scrub.body(response.body)
    except (MalformedBody, ValueError):
        exchange.text = scrub.text(response.body.decode(errors="replace"))
    return exchange
