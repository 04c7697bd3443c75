"""Files as a destination: one folder, on this machine or in a store; only complete files are ever visible."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from syncline.databases import Address
from syncline.destinations.destination import Destination, Sink, Trial
from syncline.destinations.file.csv_options import Csv
from syncline.destinations.file.layout import ENDINGS, Layout, Mistaken, layout, read_pattern
from syncline.destinations.file.storage import StorageOptions
from syncline.destinations.target import Deletes, Target
from syncline.errors import PlanError
from syncline.model import Batch, Clock, Reference, Row, Size, Text, register, reveal
from syncline.state import StateStore

FormatName = Literal["jsonl", "csv", "parquet"]
CompressionName = Literal["none", "gzip", "snappy", "zstd"]
COMPRESSIONS: dict[str, tuple[str, ...]] = {
    "jsonl": ("none", "gzip"),
    "csv": ("none", "gzip"),
    "parquet": ("zstd", "snappy", "gzip", "none"),
}
BATCH_ROWS = {"jsonl": 5_000, "csv": 20_000, "parquet": 20_000}
ZIPPED = ".gz"


def format_of(path: str) -> FormatName | None:
    """What the end of a path says about the files."""
    for ending, name in ENDINGS.items():
        if path.removesuffix(ZIPPED).endswith(ending):
            return name  # type: ignore[return-value]
    return None


@register("destination")
class File(Destination):
    """Files of JSON lines, CSV or Parquet. append: one file a run. replace: the whole set of files is exchanged."""

    kind: Literal["file"] = "file"
    path: Text = Field(
        description="A folder, or a pattern: out, out/{stream}/{run}.csv, s3://bucket/{stream}/country={country}/{run}.parquet. It "
        "may hold {stream}, {run}, {date}, {part}, columns of the rows, and their time by a format: {created_at:%Y-%m}."
    )
    format: FormatName | None = Field(
        default=None,
        description="jsonl: one JSON object a line, exact numbers. csv: RFC 4180. parquet: typed columns (needs "
        "syncline[parquet]). Default: what the path ends with, else jsonl.",
    )
    compression: CompressionName | None = Field(
        default=None,
        description="gzip for jsonl and csv (default: none, or gzip where the path ends with .gz); zstd (the default), "
        "snappy, gzip or none within parquet.",
    )
    max_file: Size | None = Field(
        default=None,
        description="Begin another file where one would get larger: 512MB. Counted before compression; in parquet as written. "
        "Default: one file a run, or one a run and partition.",
    )
    max_partitions: int = Field(
        default=1_000, ge=1, le=100_000, description="How many files the columns in the path may make in one run."
    )
    csv: Csv = Field(
        default=Csv.unsaid(), description="How CSV is spelled: formulas, null, delimiter, header, line_end, bom"
    )
    storage: StorageOptions = Field(
        default={},
        description="Options of the store, as its fsspec library names them; credentials by reference: {key: ${AWS_KEY}, secret: "
        "${AWS_SECRET}, endpoint_url: https://…}",
    )
    spool: Text | None = Field(
        default=None,
        description="A folder on a local disk for what is not complete yet. Default: hidden beside the files, or "
        ".syncline/spool for a store.",
    )

    @field_validator("path")
    @classmethod
    def _pattern(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                read_pattern(value)
            except Mistaken as mistake:
                raise PydanticCustomError("path", "{why}", {"why": str(mistake)}) from None
        return value

    @field_validator("format")
    @classmethod
    def _as_the_path_says(cls, value: str | None, info: ValidationInfo) -> str | None:
        path = info.data.get("path")
        said = format_of(path) if isinstance(path, str) else None
        if value is not None and said is not None and value != said:
            raise PydanticCustomError(
                "format", "the path ends like {said}, but the format is {value}", {"said": said, "value": value}
            )
        return value

    @field_validator("compression")
    @classmethod
    def _of_the_format(cls, value: str | None, info: ValidationInfo) -> str | None:
        path = info.data.get("path")
        name = info.data.get("format") or (format_of(path) if isinstance(path, str) else None) or "jsonl"
        if value is not None and value not in COMPRESSIONS[name] and not isinstance(path, Reference):
            raise PydanticCustomError(
                "compression",
                "{name} is not compressed by {value}; there is: {known}",
                {"name": name, "value": value, "known": ", ".join(COMPRESSIONS[name])},
            )
        return value

    def open(
        self, *, integration: str, default_state: Path | Address, clock: Clock
    ) -> AbstractAsyncContextManager[Sink]:
        from syncline.destinations.file.opening import Opening  # late: what writing needs is needed by runs only
        from syncline.destinations.file.sink import open_files

        settle = Opening(self, default_state).setting
        return open_files(settle, default_state, clock, BATCH_ROWS[self.format_name])

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
        from syncline.destinations.file.opening import tried  # late: as above

        return await tried(self, stream, target, batch)

    def misfit(self, target: Target, deletes: Deletes | None = None) -> str | None:
        if foreign := target.only_for_apis("file"):
            return foreign
        if target.children:
            return "children are tables of a database; in a file, lists stay in their row"
        if target.write == "upsert":
            return "lines of a file cannot be updated; write: append (one file a run) or write: replace (the whole set)"
        if deletes is not None:
            return "lines of a file cannot be deleted; write: replace leaves out what is gone"
        if isinstance(self.path, str):
            try:
                self._layout(target)
            except Mistaken as mistake:
                return str(mistake)
        return None

    @property
    def format_name(self) -> FormatName:
        return self.format or format_of(reveal(self.path)) or "jsonl"

    @property
    def compression_name(self) -> CompressionName:
        if self.compression is not None:
            return self.compression
        if self.format_name == "parquet":
            return "zstd"
        return "gzip" if reveal(self.path).endswith(ZIPPED) else "none"

    @property
    def ending(self) -> str:
        """Of the names that are not given in full."""
        zipped = ZIPPED if self.compression_name == "gzip" and self.format_name != "parquet" else ""
        return f".{self.format_name}{zipped}"

    def layout(self, target: Target, stream: str) -> Layout:
        """Where the files of such a target go. Raises PlanError."""
        if misfit := self.misfit(target):
            raise PlanError(misfit, hint="set `into: {write: append}` or `into: {write: replace}`", stream=stream)
        try:
            return self._layout(target)
        except Mistaken as mistake:
            raise PlanError(str(mistake), hint="correct the destination's path", stream=stream) from None

    def _layout(self, target: Target) -> Layout:
        rolling = self.max_file is not None
        return layout(reveal(self.path), write=target.write, ending=self.ending, rolling=rolling)
