"""Reads a stream page by page, through parents and partitions, so that it can go on from any page in a new process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

import msgspec

from syncline.errors import PlanError
from syncline.http.caching import NOTE, PageMemory
from syncline.http.caps import Spending
from syncline.http.origins import segment
from syncline.model import MISSING, Checkpoint, Clock, Page, Request, Shape, compile_path, encode_json
from syncline.sources.endpoint import PLACEHOLDER, Endpoint, Parent
from syncline.sources.foreseen import Room
from syncline.sources.lanes import Frontier, Lanes, Slice
from syncline.sources.listing import Asks, Listing, Pass
from syncline.sources.page_maker import Asked, Context, PageMaker, Token

Build = Callable[[Endpoint, Context, Any], Request]
"""Makes a stream's request before pagination, from the context and the cursor value to ask from (or None)."""


class Reader:
    """An open source. One reader serves all streams of a run; `requests` of parents are its own.

    `parallel` is how many requests of a pass may be under way at once, where its stream does not say.
    """

    def __init__(
        self, client: Asks, endpoints: Mapping[str, Endpoint], clock: Clock, build: Build, parallel: int = 1
    ) -> None:
        self.client = client
        self.endpoints = endpoints
        self.clock = clock
        self.build = build
        self.parallel = parallel

    async def pages(
        self,
        endpoint: Endpoint,
        checkpoint: Checkpoint,
        *,
        remember: bool = False,
        conditional: bool = False,
        shape: Shape | None = None,
        ahead: bool = True,
    ) -> AsyncGenerator[Page, None]:
        """Every page of one pass, each with the checkpoint that holds once it is written, and an empty last page.

        `remember` keeps digests of the records at the cursor's boundary, for destinations that cannot tell a record written
        before. `conditional` lets pages that did not change be passed over, where the source is configured so; for
        destinations that still have what was written. `shape` is all that will be looked at in a record: where possible the
        page's records are decoded into that, instead of plain objects. Not `ahead`, nothing is asked for before it is wanted, for
        those who read a few pages only.

        Raises what the request's way raises, PaginationError, and BodyError for an answer without records.
        """
        making = PageMaker(endpoint, checkpoint, self.clock, remember=remember)
        kept = checkpoint.extra.get(NOTE)
        this = Pass(
            spending=Spending(self.client.caps, self.clock),
            room=Room((endpoint.parallel or self.parallel) if ahead else 1),
            since=making.since,
            first_alone=endpoint.incremental is not None and checkpoint.started_at is None,
            memory=PageMemory(endpoint.to_data(), kept) if conditional and self.client.conditional else None,
            shape=None if (remember and endpoint.incremental) or endpoint.context_names else shape,
        )
        async with aclosing(self._asked(endpoint, checkpoint.resume, this)) as coming:
            async for asked in coming:
                making.missed(this.gaps)
                yield making.page(asked)
        making.missed(this.gaps)
        last = making.last()
        if this.memory is not None and last.gap is None and (known := this.memory.to_data()):
            last.checkpoint = msgspec.structs.replace(last.checkpoint, extra={NOTE: known})
        yield last

    def asks(self, endpoint: Endpoint) -> str:
        """The first request of a stream, for people: its method and address, placeholders left open."""
        open_context = {name: f"{{{name}}}" for name in endpoint.context_names}
        return unquote(self.build(endpoint, open_context, None).shown)

    async def _asked(self, endpoint: Endpoint, token: Token | None, this: Pass) -> AsyncGenerator[Asked, None]:
        def read(context: Context, place: Token, resume: Token | None) -> AsyncGenerator[Asked, None]:
            base = self.build(endpoint, context, this.since)
            listing = Listing(self.client, endpoint, context, base, this)
            return listing.pages(place, resume.get("page") if resume else None)

        if endpoint.context_names:
            lanes = Lanes(read, Frontier(token), this.room, first_alone=this.first_alone)
            pages = lanes.pages(self._contexts(endpoint, token, this))
        elif token and token.get("done"):
            return
        else:
            this.room.taken += 1
            pages = read({}, {}, token)
        async with aclosing(pages):
            async for asked in pages:
                yield asked

    async def _contexts(self, endpoint: Endpoint, token: Token | None, this: Pass) -> AsyncGenerator[Slice, None]:
        """Every combination of parents and partition, in their order."""
        async with aclosing(self._of_parents(endpoint, endpoint.parents, token, this)) as found:
            async for context, at, resume in found:
                if endpoint.partitions is None:
                    yield context, at, resume
                    continue
                begin = resume["partition"] if resume else 0
                for index, value in enumerate(endpoint.partitions.values):
                    if index < begin:
                        continue
                    inner = {**context, endpoint.partitions.name: value}
                    yield inner, {**at, "partition": index}, resume if resume and index == begin else None

    async def _of_parents(
        self, endpoint: Endpoint, parents: tuple[Parent, ...], token: Token | None, this: Pass
    ) -> AsyncGenerator[Slice, None]:
        if not parents:
            yield {}, {}, token
            return
        *outer, parent = parents
        level = len(outer)
        async with aclosing(self._of_parents(endpoint, tuple(outer), token, this)) as found:
            async for context, at, resume in found:
                place = resume["parents"][level] if resume else None
                async with aclosing(self._keys(parent, place and place["token"], this)) as keys:
                    async for key, asked in keys:
                        here = place is not None and key == place["key"]
                        if place is not None and not here and self._holds(asked, parent, place):
                            continue  # its children were read before the interruption
                        inherited = {name: value for name, value in asked.context.items() if name not in context}
                        line = [*at.get("parents", []), {"token": asked.token, "key": key}]
                        yield {**inherited, **context, parent.as_: key}, {"parents": line}, resume if here else None
                        place = None

    @staticmethod
    def _holds(asked: Asked, parent: Parent, place: Token) -> bool:
        """Whether this is the page of the parent on which an interrupted pass stood, and it still has that record."""
        read = compile_path(parent.key)
        return bool(asked.token == place["token"] and any(read(record) == place["key"] for record in asked.records))

    async def _keys(self, parent: Parent, token: Token | None, this: Pass) -> AsyncGenerator[tuple[Any, Asked], None]:
        """The keys of a parent's records, one page of them at a time; none that was on this page or the one before already.

        A record that comes again may have changed meanwhile, but its children are the same ones.
        """
        endpoint, read = self.endpoints[parent.stream], compile_path(parent.key)
        before, here = set[bytes](), set[bytes]()
        above = Pass(spending=this.spending, room=Room(1), gaps=this.gaps)
        async with aclosing(self._asked(endpoint, token, above)) as coming:
            async for asked in coming:
                if asked.gap and not this.gaps:
                    this.gaps.append(f"of {endpoint.name}, {asked.gap}")
                before, here = here, set[bytes]()
                for record in asked.records:
                    key = read(record)
                    if key is MISSING or key is None:
                        raise PlanError(
                            f"a record of {endpoint.name!r} has no {parent.key!r}, by which its children are read",
                            hint=f"correct 'key' of the parent block; the record has {', '.join(list(record)[:8])}"
                            if isinstance(record, dict)
                            else "correct 'records' of the parent stream",
                        )
                    if (name := encode_json([asked.context, key])) not in before and name not in here:
                        yield key, asked
                    here.add(name)


def without_validators(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint after which every page is read again, changed or not."""
    return msgspec.structs.replace(checkpoint, extra={n: v for n, v in checkpoint.extra.items() if n != NOTE})


def fill(path: str, context: Context) -> str:
    """A path with its placeholders filled in, each value escaped so that it stays one segment."""
    return PLACEHOLDER.sub(lambda match: segment(str(context[match[1]])), path)
