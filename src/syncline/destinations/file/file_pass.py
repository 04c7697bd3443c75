"""One pass of one stream into files: spooled as it comes, finished at its end, published after its last commit.

Everything here blocks and belongs on a lane. What must survive a crash stands in a Note within the checkpoint.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from syncline.destinations.destination import UnfinishedLost
from syncline.destinations.file.columns import Column, Columns, turned
from syncline.destinations.file.encoding import Encoded, Encoder, Format
from syncline.destinations.file.layout import Layout, Names, Values, named
from syncline.destinations.file.placing import Placer
from syncline.destinations.file.publishing import Manifest, Publisher
from syncline.destinations.file.splitting import split
from syncline.destinations.file.spool import Piece, Segment, Spool, head, longest_row, places
from syncline.destinations.file.troubles import explained
from syncline.destinations.target import SchemaPolicy
from syncline.errors import StateError, WriteError
from syncline.events import Reached, emit
from syncline.model import Batch, Checkpoint, encode_json

MADE = "made"
"""The folder of finished files that are not staged yet."""


class PassNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unfinished pass: what its files are called, what was committed of them, and how to begin it anew.

    `form` is a digest of all that the spool depends on; `seen` are the digests of records with which the pass began.
    """

    run: str
    day: date
    form: str
    segments: tuple[Segment, ...] = ()
    columns: tuple[Column, ...] = ()
    seen: tuple[str, ...] = ()


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a file destination keeps in a stream's checkpoint.

    `known` are the columns of earlier passes; `publish` is the fence under which a complete pass was staged, and `run` its name.
    """

    unfinished: PassNote | None = None
    known: tuple[Column, ...] = ()
    publish: int | None = None
    run: str | None = None

    def to_data(self) -> dict[str, Any]:
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data


def read_note(data: dict[str, Any], key: str) -> Note:
    """Raises StateError for one that cannot be read."""
    try:
        return msgspec.convert(data, Note)
    except msgspec.ValidationError as problem:
        raise StateError(
            f"the checkpoint of {key} holds something that no file destination wrote",
            hint=f"`syncline state reset {key}` starts it anew; the next run reads everything again",
            evidence=str(problem),
            stream=key,
        ) from None


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while a stream is written: where to, how, in which form."""

    key: str
    table: str
    write: str
    schema: SchemaPolicy
    layout: Layout
    format: Format
    compression: str
    options: Any
    """Of the format, as plain data."""
    publisher: Publisher
    spool: Path
    shown: str
    max_partitions: int

    @property
    def form(self) -> str:
        told = [self.format.name, self.options, [str(field) for field in self.layout.columns]]
        return hashlib.sha256(encode_json(told)).hexdigest()[:16]


class Put(msgspec.Struct, frozen=True):
    """What is in the spool, and not committed yet: so many rows, of these columns."""

    rows: int
    columns: Columns
    segments: list[Segment]


class FilePass:
    """The files of one pass, written by the holder of one lease."""

    def __init__(self, setting: Setting, fence: int, run: str, day: date) -> None:
        """Raises PlanError for names that cannot be a file's."""
        self._setting, self._fence = setting, fence
        self._names = named(setting.table, run, day)
        partitioned = bool(setting.layout.columns)
        self._placer = Placer(setting.layout.columns, setting.max_partitions) if partitioned else None
        self._encoder = Encoder(setting.format, self._placer)
        self._spool = Spool(setting.spool, fence)
        self._columns = Columns(setting.table, setting.schema)
        self._seen: tuple[str, ...] = ()
        self._begun: Put | None = None
        """What was taken for the next batch."""
        self._failure: WriteError | None = None
        self.portion = 0 if partitioned else setting.format.portion
        """Rows to be taken at a time; none where each portion would be scattered over many places."""

    def begin(self, note: Note, checkpoint: Checkpoint, *, fresh: bool) -> None:
        """Publish what an earlier pass completed; take up what it left unfinished, or throw it away.

        Raises UnfinishedLost where there should be something to take up and is not.
        """
        setting = self._setting
        if note.publish is not None:
            setting.publisher.publish(note.publish, note.run, anew=fresh)
        with explained(setting.shown):
            self._columns = Columns(setting.table, setting.schema, note.known)
            self._seen = checkpoint.seen
            resuming = checkpoint.resume is not None
            if not fresh and (resuming or (note.unfinished and setting.write == "append")):
                self._take_up(note.unfinished, checkpoint, resuming)
            self._clean()

    def _take_up(self, left: PassNote | None, checkpoint: Checkpoint, resuming: bool) -> None:
        spool = Spool(self._setting.spool, self._fence, left.segments if left else ())
        gone = spool.missing()
        if left is None or left.form != self._setting.form or gone:
            restart = Checkpoint(cursor=checkpoint.cursor, seen=left.seen if left else ())
            why = f"{gone.name} is not there, or too short" if gone else "it was written for other files than these"
            raise UnfinishedLost(
                f"what an interrupted pass had written for {self._names.table} cannot be gone on with",
                restart,
                evidence=why,
            )
        self._spool = spool
        self._columns = Columns(self._setting.table, self._setting.schema, self._columns.known.values(), left.columns)
        self._seen = left.seen
        if resuming:
            self._names = Names(self._names.table, left.run, left.day)
        if self._placer is not None:
            for segment in spool.segments:
                self._placer.known.update(places(spool.path(segment), segment.length))
            if spool.rows:
                self._placer.satisfied()

    def _clean(self) -> None:
        """Remove what passes left that nobody goes on with."""
        self._setting.publisher.clean()
        folder = self._setting.spool
        if not folder.is_dir():
            return
        kept = {segment.name for segment in self._spool.segments}
        shutil.rmtree(folder / MADE, ignore_errors=True)
        for file in folder.iterdir():
            if file.is_file() and file.name not in kept:
                file.unlink(missing_ok=True)
        if not kept:
            self._remove_folder()

    def take(self, batch: Batch) -> bool:
        """Write these rows behind what was taken, where all of them are well; they are part of the next batch."""
        if self._failure is not None:
            return False
        before = self._so_far
        try:
            encoded = self._encoder.take(batch, before.columns)
        except WriteError:  # the next batch says it, when what came before is durable
            return False
        if encoded is None:
            return False
        try:
            with explained(self._setting.shown):
                self._begun = self._append(encoded, before)
        except WriteError as problem:  # what was taken may be gone: nothing can be committed any more
            self._failure = problem
            return False
        return True

    def encode(self, batch: Batch) -> Encoded:
        """The batch in the pass's format; changes nothing. Raises WriteError."""
        return self._encoder.encode(batch, self._so_far.columns)

    def put(self, encoded: Encoded) -> Put:
        """Write the batch behind what was taken of it, all of it durably. Raises WriteError."""
        if self._failure is not None:
            raise self._failure
        put, self._begun = self._so_far, None
        with explained(self._setting.shown):
            if encoded.rows:
                put = self._append(encoded, put)
            if put.rows:
                self._spool.sync()
                emit(Reached(station="file appended"))
        return put

    @property
    def _so_far(self) -> Put:
        return self._begun or Put(0, self._columns, self._spool.segments)

    def _append(self, encoded: Encoded, before: Put) -> Put:
        """The rows behind those that were put before, in a new piece where they cannot follow them."""
        spool, sections, width = self._spool, encoded.sections, len(encoded.columns.here)
        segments = before.segments
        if spool.own() is None or not self._setting.format.continues(before.columns, encoded.columns):
            segments = [*segments, spool.begin(width)]
        if self._placer is None:
            data = b"".join(section.data for section in sections)
        else:
            data = b"".join(head(one.values, one.rows, len(one.data)) + one.data for one in sections)
        *earlier, last = segments
        length = spool.append(data, last.length)
        if was := turned(before.columns, encoded.columns):
            earlier = [msgspec.structs.replace(one, before={**was, **one.before}) for one in earlier]
        longest = max(last.longest, *(longest_row(section.data) for section in sections))
        rows = last.rows + encoded.rows
        last = msgspec.structs.replace(last, length=length, rows=rows, width=width, longest=longest)
        return Put(before.rows + encoded.rows, encoded.columns, [*earlier, last])

    def note(self, put: Put) -> dict[str, Any]:
        """What the checkpoint has to say once this is committed."""
        unfinished = PassNote(
            run=self._names.run,
            day=self._names.day,
            form=self._setting.form,
            segments=tuple(segment for segment in put.segments if segment.length),
            columns=tuple(put.columns.here),
            seen=self._seen,
        )
        return Note(unfinished=unfinished, known=tuple(self._columns.known.values())).to_data()

    def committed(self, put: Put) -> list[str]:
        """Returns what is new about the columns, for people."""
        changes = self._columns.changes(put.columns)
        self._spool.segments = put.segments
        self._columns = put.columns
        emit(Reached(station="file committed"))
        return changes

    def complete(self, finished: datetime) -> dict[str, Any] | None:
        """Finish and stage the files; returns what must be committed before they are published. Raises WriteError."""
        known = tuple(self._columns.merged())
        staged = False
        if self._spool.rows or self._setting.write == "replace":
            with explained(self._setting.shown):
                self._finish(finished)
            staged = True
            emit(Reached(station="file completed"))
        note = Note(known=known, publish=self._fence, run=self._names.run) if staged else Note(known=known)
        return note.to_data() or None

    def _finish(self, finished: datetime) -> None:
        setting = self._setting
        folder = setting.spool / MADE
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        made: list[tuple[str, Path, int]] = []
        try:
            for number, (values, pieces) in enumerate(self._sorted(folder)):
                for part, file in enumerate(setting.format.finish(pieces, self._columns, folder, f"{number}"), 1):
                    made.append((setting.layout.path(self._names, values, part), file.file, file.rows))
        finally:
            setting.format.close()
        counted = sum(rows for _, _, rows in made)
        if counted != self._spool.rows:
            raise WriteError(
                f"{counted} rows stand in the finished files of {setting.table}, of {self._spool.rows} that were written",
                hint="this should not happen: please report it; `syncline run FILE --full` starts the pass anew",
            )
        manifest = Manifest(
            stream=setting.table,
            run=self._names.run,
            write=setting.write,
            format=setting.format.name,
            compression=setting.compression,
            finished=finished,
            rows=counted,
            columns=setting.format.types(self._columns),
        )
        setting.publisher.stage(self._fence, made, manifest)
        shutil.rmtree(folder, ignore_errors=True)

    def _sorted(self, folder: Path) -> list[tuple[Values, Sequence[Piece]]]:
        """The pieces of every partition; the one and only where there are none."""
        pieces = self._spool.settled(folder)
        if self._placer is None:
            return [((), pieces)]
        first: dict[str, Values] = {}

        def path_of(values: Values) -> str:
            path = self._setting.layout.path(self._names, values)
            first.setdefault(path, values)
            return path

        return [(first[path], own) for path, own in split(pieces, path_of, folder).items()]

    def publish(self) -> dict[str, Any] | None:
        """What was completed and committed becomes visible; returns what is left to be said of it. Raises WriteError."""
        self._setting.publisher.publish(self._fence)
        with explained(self._setting.shown):
            self._spool.remove()
            self._remove_folder()
        return Note(known=tuple(self._columns.merged())).to_data() or None

    def close(self) -> None:
        self._spool.close()

    def _remove_folder(self) -> None:
        """The spool's folder and the hidden ones around it, where nothing else is in them."""
        folder = self._setting.spool
        for one in (folder, *folder.parents[:1]):
            try:
                one.rmdir()
            except OSError:
                return
