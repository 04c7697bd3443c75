"""From what was asked to pages: each with the checkpoint that holds once it is written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from syncline.events import Noticed, emit
from syncline.model import Checkpoint, Clock, Page, Response, Shape, parse_path, reveal
from syncline.sources.cursor import CursorTracker, earlier
from syncline.sources.endpoint import Endpoint

Token = dict[str, Any]
Context = dict[str, Any]


class Asked(msgspec.Struct, kw_only=True):
    """One page as it came, and the tokens from which to read it again (`token`) or to go on after it (`following`)."""

    records: list[Any]
    response: Response | None
    context: Context
    token: Token
    following: Token
    total: int | None = None
    gap: str | None = None
    shape: Shape | None = None
    plain: Sequence[Any] = ()
    unchanged: int = 0
    """Records that were delivered before: of a page that was not sent again, because nothing of it changed, or that came again."""


class PageMaker:
    """Follows one pass over a stream, from its start or from where an interrupted one stood, to its end."""

    def __init__(self, endpoint: Endpoint, checkpoint: Checkpoint, clock: Clock, *, remember: bool) -> None:
        self._endpoint, self._checkpoint, self._clock, self._remember = endpoint, checkpoint, clock, remember
        self._cursor = parse_path(endpoint.incremental.cursor) if endpoint.incremental else ()
        self._tracker: CursorTracker | None = None
        self._started_at, self._items = checkpoint.started_at, checkpoint.items
        self._number = 0
        self._gap: str | None = checkpoint.extra.get("gap")

    @property
    def since(self) -> Any:
        """The cursor to ask from, or None for everything."""
        incremental, cursor = self._endpoint.incremental, self._checkpoint.cursor
        if incremental is None:
            return None
        if cursor is None:
            return None if incremental.start is None else reveal(incremental.start)
        return earlier(cursor, incremental)

    def missed(self, gaps: Sequence[str]) -> None:
        """Take note that records may have been skipped beside the pages themselves; the first that was ever told is kept."""
        if gaps and self._gap is None:
            self._gap = gaps[0]

    def page(self, asked: Asked) -> Page:
        server_time = asked.response.date if asked.response else None
        self._started_at = self._started_at or (server_time or self._clock.now()).isoformat()
        tracker = self._tracking()
        self._number += 1
        self._items += len(asked.records) + asked.unchanged
        self._gap = self._gap or asked.gap
        read = partial(asked.shape.read, self._cursor) if asked.shape else None
        records = tracker.observe(asked.records, read) if tracker else asked.records
        before = self._checkpoint
        checkpoint = Checkpoint(
            cursor=before.cursor,
            resume=asked.following,
            running=tracker.running if tracker else None,
            started_at=self._started_at,
            seen=tracker.seen(complete=False) if tracker else (),
            items=self._items,
            extra={**before.extra, "gap": self._gap} if self._gap else before.extra,
        )
        return Page(
            records=_with_context(records, asked.context) if asked.context else records,
            number=self._number,
            checkpoint=checkpoint,
            repeated=len(asked.records) - len(records) + asked.unchanged,
            shape=asked.shape,
            plain=asked.plain,
            context=asked.context,
            server_time=server_time,
            total=asked.total,
        )

    def last(self) -> Page:
        """The empty page at the end. After a gap the cursor stays, so that the next run reads the same again."""
        tracker, before = self._tracking(), self._checkpoint
        if tracker is not None:
            self._tell(tracker)
        if tracker is None:
            final = Checkpoint()
        elif self._gap is not None:
            final = Checkpoint(cursor=before.cursor, seen=before.seen)
        else:
            final = Checkpoint(cursor=tracker.final(), seen=tracker.seen(complete=True))
        return Page(records=[], number=self._number + 1, checkpoint=final, last=True, gap=self._gap)

    def _tracking(self) -> CursorTracker | None:
        if self._tracker is None and self._endpoint.incremental is not None:
            begun = msgspec.structs.replace(self._checkpoint, started_at=self._started_at)
            self._tracker = CursorTracker(self._endpoint.incremental, begun, self._remember)
        return self._tracker

    def _tell(self, tracker: CursorTracker) -> None:
        name = self._endpoint.name
        if tracker.future:
            emit(
                Noticed(
                    what=f"{tracker.future} records of {name} carry a cursor later than the server's clock",
                    hint="they are delivered, and asked for again in the next run",
                )
            )
        if tracker.without:
            emit(Noticed(what=f"{tracker.without} records of {name} have no {tracker.incremental.cursor}"))


def _with_context(records: list[Any], context: Context) -> list[Any]:
    return [{**context, **record} if isinstance(record, dict) else record for record in records]
