"""Files of lines: one folder, one file a stream or a run; only complete files are ever visible."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from syncline.databases import Address
from syncline.destinations.destination import Destination, Sink, Trial
from syncline.destinations.target import Deletes, Target
from syncline.errors import PlanError
from syncline.model import Batch, Clock, Row, Text, register, reveal
from syncline.state import StateStore

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
KNOWN = {"stream", "run"}
MAX_NAME_BYTES = 180
"""File systems allow 255; the unfinished file's name is longer than the finished one's."""


@register("destination")
class File(Destination):
    """Files of JSON lines. append: one file a run. replace: one file a stream, exchanged as a whole."""

    kind: Literal["file"] = "file"
    path: Text = Field(
        description="A folder, or a pattern with {stream} and {run}: out, or out/{stream}/{run}.jsonl. "
        "In a folder, replace writes {stream}.jsonl and append {stream}-{run}.jsonl."
    )
    format: Literal["jsonl", "csv", "parquet"] = Field(
        default="jsonl", description="jsonl: one JSON object a line, exact numbers. This version writes jsonl only."
    )

    @field_validator("format")
    @classmethod
    def _written_here(cls, value: str) -> str:
        if value != "jsonl":
            raise PydanticCustomError(
                "format", "this version writes jsonl, not {value}; write format: jsonl", {"value": value}
            )
        return value

    def open(
        self, *, integration: str, default_state: Path | Address, clock: Clock
    ) -> AbstractAsyncContextManager[Sink]:
        from syncline.destinations.jsonl_sink import open_jsonl  # late: sqlite3 is needed by runs only

        return open_jsonl(self.root(), self.place, default_state, clock)

    def open_state(self, *, default_state: Path | Address) -> AbstractAsyncContextManager[StateStore]:
        from syncline.state.store import open_state  # late: as above

        return open_state(default_state, create=False)

    async def trial(
        self,
        stream: str,
        target: Target,
        batch: Batch,
        *,
        primary_key: tuple[str, ...] = (),
        deletes: Deletes | None = None,
        gone: Sequence[Row] = (),
        **known: Any,
    ) -> Trial:
        from syncline.destinations.jsonl_sink import lines_of  # late: as above

        final = self.place(stream, target, "RUN")
        lines, refused = lines_of(batch, None)
        written = f"WRITE {final.relative_to(self.root())}"
        return Trial(exists=final.exists(), statements=(written,), inserts=len(lines), rejected=tuple(refused))

    def misfit(self, target: Target, deletes: Deletes | None = None) -> str | None:
        if foreign := target.only_for_apis("file"):
            return foreign
        if target.children:
            return "children are tables of a database; in a file, lists stay in their row"
        if deletes is not None and target.write != "upsert":
            return "lines of a file cannot be deleted; write: replace leaves out what is gone"
        if target.write != "upsert":
            return None
        return "lines of a file cannot be updated; write: append (one file a run) or write: replace (one file a stream)"

    def root(self) -> Path:
        """The folder that nothing is written outside of: the path up to its first placeholder."""
        pattern = reveal(self.path)
        before = pattern.partition("{")[0]
        return Path(pattern) if before == pattern else Path(before).parent if before[-1:] not in "/" else Path(before)

    def place(self, stream: str, target: Target, run_id: str) -> Path:
        """The finished file of this stream and run. Raises PlanError; names from data cannot leave the root."""
        pattern = reveal(self.path)
        names = set(PLACEHOLDER.findall(pattern))
        if names - KNOWN or not pattern or "\0" in pattern:
            raise PlanError(
                f"the path {pattern!r} is not a pattern", hint="it may hold {stream} and {run}, nothing else"
            )
        if misfit := self.misfit(target):
            raise PlanError(misfit, hint="set `into: {write: append}` or `into: {write: replace}`", stream=stream)
        if not names:
            pattern += "/{stream}.jsonl" if target.write == "replace" else "/{stream}-{run}.jsonl"
        elif target.write == "append" and "run" not in names:
            raise PlanError(
                f"{stream}: write: append makes one file a run, but the path {pattern!r} has no {{run}}",
                hint="add {run} to the path, or set `into: {write: replace}`",
            )
        elif "stream" not in names:
            raise PlanError(
                f"the path {pattern!r} has no {{stream}}", hint="add it, so that streams do not share a file"
            )
        table = checked_name(target.table or stream)
        run = checked_name(run_id)
        return Path(PLACEHOLDER.sub(lambda match: table if match[1] == "stream" else run, pattern))


def checked_name(name: str) -> str:
    """A name as one component of a path. Raises PlanError."""
    fault = None
    if not name or name.startswith("."):
        fault = "it is empty or begins with a dot"
    elif re.search(r'[/\\:*?"<>|\x00-\x1f\x7f]', name):
        fault = "it holds a separator or a character that file systems refuse"
    elif len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES // 2:
        fault = f"it is longer than {MAX_NAME_BYTES // 2} bytes"
    elif any(0xD800 <= ord(letter) <= 0xDFFF for letter in name):
        fault = "it holds a lone surrogate"
    if fault:
        raise PlanError(f"{name[:40]!r} cannot be a file's name: {fault}", hint="choose one: `into: {table: orders}`")
    return name
