"""JSON lines at work.

A pass writes to a hidden file beside the finished one. Its committed length stands in the checkpoint, so that a crashed pass
is cut back to it and goes on. The pass ends with one commit, which names the file to publish; the renaming after it can be
repeated, so a crash in between is made good at the next start.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from syncline.databases import Address, Lane
from syncline.databases.sqlite import explain
from syncline.destinations.destination import Finished, note_of, with_note
from syncline.destinations.target import Deletes, SchemaPolicy, Target
from syncline.destinations.values import misfit
from syncline.errors import PlanError, WriteError
from syncline.model import Batch, Checkpoint, Clock, Rejected, Row, Written, encode_json
from syncline.state import Lease, StateStore
from syncline.state.store import open_state

COPY_BYTES = 1 << 20

Place = Callable[[str, Target, str], Path]
"""The finished file of a stream, a target and a run."""


class JsonlSink:
    """A folder of files, and the state beside it."""

    batch_rows = 2_000

    def __init__(self, root: Path, place: Place, state: StateStore, lane: Lane, clock: Clock) -> None:
        self.state = state
        self._root, self._place, self._lane, self._clock = root, place, lane, clock
        self._writers: list[JsonlWriter] = []

    async def begin(
        self,
        key: str,
        stream: str,
        target: Target,
        *,
        primary_key: tuple[str, ...] = (),
        fresh: bool = False,
        lease: Lease,
        checkpoint: Checkpoint,
        schema: SchemaPolicy = "evolve",
        deletes: Deletes | None = None,
        allow_deletes: bool = False,
    ) -> JsonlWriter:
        final = self._place(stream, target, lease.owner.run_id or f"run-{lease.fence}")
        note = note_of(checkpoint)
        file = PassFile(self._root, final, lease.fence, empty=target.write == "replace")
        await self._lane.run(file.begin, note, fresh=fresh)
        writer = JsonlWriter(file, self.state, self._lane, self._clock)
        self._writers.append(writer)
        return writer

    async def close(self) -> None:
        for writer in self._writers:
            await writer.close()
        self._lane.close()


class JsonlWriter:
    """One stream's way into one file."""

    def __init__(self, file: PassFile, state: StateStore, lane: Lane, clock: Clock) -> None:
        self._file, self._state, self._lane, self._clock = file, state, lane, clock

    async def write(
        self,
        batch: Batch,
        rejected: Sequence[Rejected],
        checkpoint: Checkpoint | None,
        lease: Lease,
        *,
        records: Sequence[Any] | None = None,
        resolved: Sequence[int] = (),
        gone: Sequence[Row] = (),
        present: Sequence[Row] = (),
        doubtful: int = 0,
    ) -> Written:
        if checkpoint is None:  # its length would be committed with nothing
            checkpoint = (await self._state.load(lease.key)).checkpoint
        lines, refused = await self._lane.run(lines_of, batch, records)
        length = await self._lane.run(self._file.append, lines)
        noted = with_note(checkpoint, {"part": self._file.part_name, "length": length})
        await self._state.commit(
            lease,
            noted,
            now=self._clock.now(),
            written=len(lines),
            rejected=[*rejected, *refused],
            resolved=resolved,
        )
        await self._lane.run(self._file.committed, length)
        return Written(written=len(lines), rejected=tuple(refused))

    async def finish(self, checkpoint: Checkpoint, lease: Lease, *, complete: bool = False) -> Finished:
        note = await self._lane.run(self._file.complete)
        await self._state.commit(lease, with_note(checkpoint, note), now=self._clock.now())
        await self._lane.run(self._file.publish)
        return Finished()

    async def close(self) -> None:
        await self._lane.run(self._file.close)


class PassFile:
    """The file of one pass. Its hidden name carries the lease's fence: nobody else writes to it."""

    def __init__(self, root: Path, final: Path, fence: int, *, empty: bool) -> None:
        self._root, self._final, self._empty = root, final, empty
        self._part = final.with_name(f".{final.name}.{fence}.part")
        self._left: Path | None = None
        self._length = 0
        self._file: IO[bytes] | None = None

    @property
    def part_name(self) -> str:
        return self._name(self._part)

    def begin(self, note: dict[str, Any], *, fresh: bool) -> None:
        """Publish what an earlier pass completed; take up what it left unfinished, or throw it away."""
        with _explained(self._final):
            if "final" in note:
                _publish(self._path(note["part"]), self._path(note["final"]))
            elif "part" in note and not fresh:
                self._take_up(self._path(note["part"]), int(note["length"]))
            for stale in self._final.parent.glob(f".{_literal(self._final.name)}.*.part"):
                if stale not in (self._part, self._left):
                    stale.unlink(missing_ok=True)

    def append(self, lines: Sequence[bytes]) -> int:
        """Write behind the committed length, durably; returns the new length in bytes."""
        with _explained(self._final):
            if not lines:
                return self._length
            file = self._open()
            file.seek(self._length)
            file.truncate()
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def committed(self, length: int) -> None:
        self._length = length
        if self._left is not None and self._file is not None:
            self._left.unlink(missing_ok=True)
            self._left = None

    def complete(self) -> dict[str, Any] | None:
        """Cut what was never committed; returns what must be committed before the file is published."""
        with _explained(self._final):
            if self._file is None and not self._empty:
                return None
            file = self._open()
            file.truncate(self._length)
            file.flush()
            os.fsync(file.fileno())
            return {"part": self.part_name, "final": self._name(self._final)}

    def publish(self) -> None:
        self.close()
        with _explained(self._final):
            _publish(self._part, self._final)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what was not flushed was not committed either
                self._file.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._part.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("w+b")
        return self._file

    def _take_up(self, left: Path, length: int) -> None:
        """Copy the committed part: whoever wrote it may still have it open."""
        if length == 0:
            return
        if not left.exists() or left.stat().st_size < length:
            raise WriteError(
                f"the unfinished file {left.name} is gone or too short, so the pass cannot go on",
                hint="start the pass anew: `syncline run FILE --full`",
                evidence=f"{length} bytes of it were committed",
            )
        self._final = left.with_name(left.name.removeprefix(".").rsplit(".", 2)[0])
        self._part = left.with_name(f".{self._final.name}.{self._part.name.rsplit('.', 2)[1]}.part")
        if left == self._part:
            self._file, self._length = left.open("r+b"), length
            return
        with left.open("rb") as source:
            file = self._open()
            while self._length < length:
                piece = source.read(min(COPY_BYTES, length - self._length))
                file.write(piece)
                self._length += len(piece)
            file.flush()
            os.fsync(file.fileno())
        self._left = left

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _path(self, name: object) -> Path:
        path = self._root / str(name)
        if ".." in path.relative_to(self._root).parts:
            raise PlanError("the checkpoint names a file outside of the destination", hint="`syncline state reset` it")
        return path


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise explain(problem, path, WriteError) from problem


def lines_of(batch: Batch, records: Sequence[Any] | None) -> tuple[list[bytes], list[Rejected]]:
    """The batch as lines; a row that JSON cannot hold exactly is refused with its path."""
    lines: list[bytes] = []
    refused: list[Rejected] = []
    for number, row in enumerate(batch.rows):
        record = dict(zip(batch.columns, row, strict=True))
        try:
            line = encode_json(record)
            doubtful = float in set(map(type, row)) or b"NaN" in line or b"Infinity" in line
            if not doubtful or not _refusal(record):
                lines.append(line + b"\n")
                continue
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
            pass
        path, reason = _refusal(record) or ("", "the row has no JSON form")
        refused.append(Rejected(path=path, reason=reason, record=records[number] if records is not None else record))
    return lines, refused


def _refusal(record: dict[str, Any]) -> tuple[str, str] | None:
    for name, value in record.items():
        if reason := misfit(name, "text") or misfit(value, "json"):
            return name[:200], reason
    return None


def _publish(part: Path, final: Path) -> None:
    if not part.exists():
        return
    part.replace(final)
    if not hasattr(os, "O_DIRECTORY"):
        return
    folder = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@asynccontextmanager
async def open_jsonl(root: Path, place: Place, default_state: Path | Address, clock: Clock) -> AsyncIterator[JsonlSink]:
    async with open_state(default_state) as state:
        sink = JsonlSink(root, place, state, Lane("syncline-files"), clock)
        try:
            yield sink
        finally:
            await sink.close()
