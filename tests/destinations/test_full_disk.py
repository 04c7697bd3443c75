"""R29: disks that are full, at any write into a database. Files have theirs in files/test_full_disk.py."""

from __future__ import annotations

import pwd
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncline.destinations import Destination, Sql, WriteMode
from syncline.errors import SynclineError
from syncline.model import Batch
from syncline.testing.bench import KEY, Bench, at, done
from tests.destinations.conformance import DuckDbBench, PostgresqlBench, SqliteBench, schema_of
from tests.support.disks import MIB, leave, small_disk
from tests.support.services import cannot

SIZE = 40 * MIB
STEP, TOTAL = 400, 6_000
TEXT = "0123456789abcdef" * 40


class TablespaceBench(PostgresqlBench):
    """Everything but PostgreSQL's own log is on the small disk."""

    def make(self) -> Destination:
        super().make()
        name = schema_of(self.folder)
        self.url = (
            f"{self.base}?options=-csearch_path%3D{name}%20-cdefault_tablespace%3D{name}%20-ctemp_tablespaces%3D{name}"
        )
        return Sql(url=self.url)

    def drop(self) -> None:
        super().drop()
        self._do(self.base, f'DROP TABLESPACE IF EXISTS "{schema_of(self.folder)}"')


@contextmanager
def on_small_disk(kind: str, folder: Path) -> Iterator[tuple[Bench, Path]]:
    if kind != "postgresql":
        with small_disk(folder / "disk", SIZE) as disk:
            yield (SqliteBench if kind == "sqlite" else DuckDbBench)(disk), disk
        return
    owner = _user("postgres")
    with tempfile.TemporaryDirectory(prefix="syncline-disk-") as place:
        Path(place).chmod(0o755)  # the server's user has to come by
        with small_disk(Path(place) / "disk", SIZE, owner) as disk:
            bench = TablespaceBench(folder)
            try:
                bench._do(bench.base, f"CREATE TABLESPACE \"{schema_of(folder)}\" LOCATION '{disk}'")
                yield bench, disk
            finally:
                bench.drop()


def _user(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        cannot(f"the server's user {name} is not of this machine")
        raise


def rows(begin: int, end: int) -> list[tuple[Any, ...]]:
    """Each of them is another text, which does not compress to nothing."""
    return [(number, f"{number * 7919 % 1_000_003:06x}" + TEXT) for number in range(begin, end)]


async def go_on(bench: Bench, write: WriteMode, run: str) -> None:
    """The rest of the pass, from where its checkpoint says."""
    async with bench.sink() as sink:
        lease = await bench.lease(sink, run)
        page = ((await sink.state.load(KEY)).checkpoint.resume or {"page": 0})["page"]
        writer = await bench.begin(sink, write, lease=lease, primary_key=("id",))
        for begin in range(page * STEP, TOTAL, STEP):
            batch = Batch(columns=("id", "text"), rows=rows(begin, begin + STEP))
            written = await writer.write(batch, [], at(begin // STEP + 1), lease)
            assert (written.written, written.rejected) == (STEP, ())
        await writer.finish(done("z"), lease)


@pytest.mark.slow
@pytest.mark.parametrize("write", ["append", "upsert", "replace"])
@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "postgresql"])
async def test_r29_a_full_disk_is_exit_7_at_every_write_and_the_run_resumes(
    kind: str, write: WriteMode, tmp_path: Path
) -> None:
    with on_small_disk(kind, tmp_path) as (bench, disk):
        met: list[str] = []
        room = 0
        while True:
            leave(disk, room)
            try:
                await go_on(bench, write, f"r{room}")
                break
            except SynclineError as error:
                assert error.exit_code == 7, error.block()
                assert "no room left" in error.what or "disk" in error.what, error.block()
                assert "space" in (error.hint or ""), error.block()
                met.append(error.what)
            room += 600_000
            assert room < SIZE, "it never gets done"
        leave(disk, 4 * MIB)
        assert len(met) > 3, met
        found = sorted((row["id"], row["text"]) for row in bench.read())
        assert found == rows(0, TOTAL)
        async with bench.sink() as sink:
            state = await sink.state.load(KEY)
        assert (state.checkpoint.cursor, state.items_synced) == ("z", TOTAL)
        if kind == "sqlite":
            with sqlite3.connect(disk / "shop.db") as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            connection.close()
