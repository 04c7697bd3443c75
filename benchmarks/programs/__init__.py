"""Who takes part: each program's environment, its command, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from programs import left

HERE = Path(__file__).parent
Stages = list[list[str]]

DESTINATIONS = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "duckdb": "DuckDB",
    "parquet": "Parquet",
    "jsonl": "JSON lines",
}
LIMIT, OURS = "limit", "syncline"


@dataclass(frozen=True)
class Program:
    """One way to do the work. `stages(python, url)` are its commands, joined by pipes and run in an empty folder, where
    (or in ORDERS_POSTGRES) they leave what `rows` reads.

    `environment` names a file in `requirements/`; without one it runs where Syncline is installed.
    `share` is the part of the records it is given, for those that would keep everybody waiting.
    """

    name: str
    destination: str
    what: str
    stages: Callable[[str, str], Stages]
    environment: str | None = None
    share: float = 1.0
    rows: left.Reader | None = None
    prepare: Callable[[Path], None] | None = None

    @property
    def title(self) -> str:
        return f"{self.name} → {DESTINATIONS[self.destination]}"

    def left(self, folder: Path, database: str) -> left.Rows:
        return (self.rows or left.READERS[self.destination])(folder, database)


def _script(name: str, *arguments: str) -> Callable[[str, str], Stages]:
    return lambda python, url: [[python, str(HERE / name), url, *arguments]]


def _syncline(python: str, url: str) -> Stages:
    return [[python, "-m", "syncline.cli", "run", "orders.yaml", "--json"]]


def _file_for(destination: str) -> Callable[[Path], None]:
    """Writes the integration's file: the same streams, another destination."""
    places = {
        "sqlite": "{kind: sql, url: 'sqlite:///orders.db'}",
        "postgres": "{kind: sql, url: '${ORDERS_POSTGRES}'}",
        "duckdb": "{kind: sql, url: 'duckdb:///orders.duckdb'}",
        "parquet": "{kind: file, path: 'orders', format: parquet}",
        "jsonl": "{kind: file, path: 'orders'}",
    }
    how = "append" if destination in ("parquet", "jsonl") else "upsert"

    def prepare(folder: Path) -> None:
        streams = (HERE.parent / "orders.yaml").read_text().replace("write: upsert", f"write: {how}")
        (folder / "orders.yaml").write_text(f"{streams}\ndestination: {places[destination]}\n")

    return prepare


def _singer(python: str, url: str) -> Stages:
    return [
        [python, str(HERE / "singer_tap.py"), "--config=ENV"],
        [python, str(HERE / "singer_target.py"), "--config=ENV"],
    ]


def _ends(destination: str) -> tuple[Program, Program]:
    return (
        Program(LIMIT, destination, "the same parts by hand, nothing that protects", _script("limit.py", destination)),
        Program(
            OURS,
            destination,
            "`syncline run`, all protections as they are by default",
            _syncline,
            prepare=_file_for(destination),
        ),
    )


PROGRAMS = (
    *_ends("sqlite"),
    Program("loop", "sqlite", "an afternoon's loop: httpx and SQLAlchemy", _script("loop.py"), "loop"),
    Program("dlt", "sqlite", "REST source, `add_map`, append", _script("dlt_orders.py", "sqlite", "append"), "dlt"),
    Program(
        "dlt merge", "sqlite", "the same, upsert by primary key", _script("dlt_orders.py", "sqlite", "merge"), "dlt"
    ),
    Program("singer", "sqlite", "tap and target on singer-sdk, upsert, msgspec for messages", _singer, "singer", 0.2),
    Program(
        "airbyte",
        "sqlite",
        "low-code manifest, mapped, to its message stream, written nowhere",
        _script("airbyte_orders.py", "mapped"),
        "airbyte",
        0.1,
        rows=left.airbyte_mapped,
    ),
    Program(
        "airbyte raw",
        "sqlite",
        "the same without the mapping: records as they came",
        _script("airbyte_orders.py", "raw"),
        "airbyte",
        0.1,
        rows=left.airbyte_raw,
    ),
    *_ends("postgres"),
    Program(
        "dlt",
        "postgres",
        "REST source, `add_map`, append",
        _script("dlt_orders.py", "postgres", "append"),
        "dlt",
        0.2,
    ),
    *_ends("duckdb"),
    Program("dlt", "duckdb", "REST source, `add_map`, append", _script("dlt_orders.py", "duckdb", "append"), "dlt"),
    *_ends("parquet"),
    *_ends("jsonl"),
)
