"""From the part to what writes: the store, the format, the folders."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

from syncline.databases import Address
from syncline.destinations.destination import Trial
from syncline.destinations.file.columns import Columns
from syncline.destinations.file.csv_options import Csv
from syncline.destinations.file.encoding import Encoder, Format
from syncline.destinations.file.file_pass import Setting
from syncline.destinations.file.json_lines import JsonLines
from syncline.destinations.file.layout import Layout, named
from syncline.destinations.file.names import escaped
from syncline.destinations.file.placing import Placer
from syncline.destinations.file.publishing import Publisher
from syncline.destinations.file.remote import RemoteStore, scheme_of
from syncline.destinations.file.sink import rejections
from syncline.destinations.file.storage import revealed
from syncline.destinations.file.store import LocalStore, Store
from syncline.destinations.file.text_files import Compression
from syncline.destinations.target import SchemaPolicy, Target
from syncline.errors import PlanError
from syncline.model import Batch, Reference, Secret, reveal

SHOWN_PATHS = 3
"""How many of the files that a trial would write are named."""


class Described(Protocol):
    """What a part says about its files, defaults worked out."""

    @property
    def format_name(self) -> str: ...
    @property
    def compression_name(self) -> str: ...
    @property
    def max_file(self) -> int | None: ...
    @property
    def max_partitions(self) -> int: ...
    @property
    def csv(self) -> Csv: ...
    @property
    def storage(self) -> dict[str, Any]: ...
    @property
    def spool(self) -> str | Reference | Secret | None: ...

    def layout(self, target: Target, stream: str) -> Layout:
        """Where the files of such a target go. Raises PlanError."""


class Opening:
    """One file destination being opened; its store is connected to when the first stream begins."""

    def __init__(self, part: Described, default_state: Path | Address) -> None:
        """Raises PlanError where something is missing that the format needs."""
        self._part, self._default_state = part, default_state
        format_for(part, "append")

    def setting(self, key: str, stream: str, target: Target, schema: SchemaPolicy) -> Setting:
        """Raises PlanError."""
        part = self._part
        found = part.layout(target, stream)
        table = target.table or stream
        store = self._store(found.root)
        publisher = Publisher(store, key, table)
        return Setting(
            key=key,
            table=table,
            write=target.write,
            schema=schema,
            layout=found,
            format=format_for(part, target.write),
            compression=part.compression_name,
            options=part.csv.to_data() if part.format_name == "csv" else {},
            publisher=publisher,
            spool=self._spool(store, publisher, key),
            shown=store.shown,
            max_partitions=part.max_partitions,
        )

    def _store(self, root: str) -> Store:
        if root not in self._stores:
            self._stores[root] = store_of(self._part, root)
        return self._stores[root]

    @cached_property
    def _stores(self) -> dict[str, Store]:
        return {}

    def _spool(self, store: Store, publisher: Publisher, key: str) -> Path:
        if self._part.spool is None and isinstance(store, LocalStore):
            return store.root / publisher.work
        top = _beside(self._default_state) if self._part.spool is None else Path(reveal(self._part.spool))
        place = hashlib.sha256(store.shown.encode()).hexdigest()[:8]
        return top / f"{escaped(key)}-{place}"


def _beside(state: Path | Address) -> Path:
    """Where pieces wait that are not in their store yet: near a state that is a file, else where that would be."""
    return (state.parent if isinstance(state, Path) else Path(".syncline")) / "spool"


def store_of(part: Described, root: str) -> Store:
    """Raises PlanError."""
    scheme = scheme_of(root)
    if scheme is not None:
        return RemoteStore(root, revealed(part.storage))
    if part.storage:
        raise PlanError("storage: is for stores, but the path is a folder of this machine", hint="remove storage:")
    return LocalStore(Path(root.partition("://")[2] or root))


def format_for(part: Described, write: str) -> Format:
    """What the files are made of. Raises PlanError for a missing package, or a compression that the format has not."""
    name, compression = part.format_name, part.compression_name
    if name == "parquet":
        from syncline.destinations.file.parquet import Parquet  # late: a run writes one format

        within = "uncompressed" if compression == "none" else compression
        return Parquet(within, part.max_file, widening=write == "append")
    if compression not in ("none", "gzip"):
        raise PlanError(f"{name} is not compressed by {compression}", hint="write compression: gzip, or none")
    plain = cast("Compression", compression)
    if name == "csv":
        from syncline.destinations.file.csv_text import CsvText  # late: as above

        return CsvText(part.csv, plain, part.max_file)
    return JsonLines(plain, part.max_file)


async def tried(part: Described, stream: str, target: Target, batch: Batch) -> Trial:
    """What writing a batch would make; the store is only looked into."""
    found = part.layout(target, stream)
    names = named(target.table or stream, "RUN", datetime.now(UTC).date())
    placer = Placer(found.columns, part.max_partitions) if found.columns else None
    format = format_for(part, target.write)
    encoded = Encoder(format, placer).encode(batch, Columns(target.table or stream, "evolve"))
    places = list(dict.fromkeys(found.path(names, section.values) for section in encoded.sections))
    if not found.columns:
        places = [found.path(names)]
    exists = await asyncio.to_thread(lambda: bool(places) and store_of(part, found.root).exists(places[0]))
    shown: list[str] = [f"WRITE {place}" for place in places[:SHOWN_PATHS]]
    if len(places) > SHOWN_PATHS:
        shown.append(f"WRITE {len(places) - SHOWN_PATHS} more files like these")
    refused = tuple(rejections(encoded, batch, None))
    return Trial(exists=exists, statements=tuple(shown), inserts=encoded.rows, rejected=refused)
