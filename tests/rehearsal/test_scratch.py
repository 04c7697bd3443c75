"""Rehearsals at real servers: in scratch of their own, beside real tables that nobody touches, and gone afterwards."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from syncline.databases import Lane
from syncline.databases.mysql_address import arguments
from syncline.errors import StateError, UsageError
from syncline.model import Secret
from syncline.rehearsal.acting import Act, play
from syncline.rehearsal.checklist import check
from syncline.rehearsal.clock import SimulatedClock
from syncline.rehearsal.evidence import ActReport
from syncline.rehearsal.kills import can_kill
from syncline.rehearsal.rehearsal import rehearse
from syncline.rehearsal.scratch import scratches, shown
from syncline.rehearsal.scratch.servers import NAME, PostgresServer, server_at
from syncline.rehearsal.simulator.faults import faults
from syncline.rehearsal.staging import staged
from syncline.spec import Integration, loads
from tests.rehearsal.acts import PLAIN, WRITTEN
from tests.support.services import need_mariadb, need_postgresql

NAMES = {
    "postgresql": "SELECT nspname FROM pg_namespace",
    "mariadb": "SELECT schema_name FROM information_schema.schemata",
}
SERVERS = ["postgresql", "mariadb"]
ALCHEMY = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}


class Home:
    """A database of somebody's own at a real server, with a table `things` that a rehearsal must not touch."""

    def __init__(self, kind: str) -> None:
        self.kind, self.name = kind, f"scratch_{secrets.token_hex(4)}"
        server = need_postgresql() if kind == "postgresql" else f"{need_mariadb()}/mysql"
        self.server = server
        self.url = f"{server.rpartition('/')[0]}/{self.name}"
        self.do(f"CREATE DATABASE {self.name}", at=server)
        self.do("CREATE TABLE things (id VARCHAR(20) PRIMARY KEY, name VARCHAR(20))")
        self.do("INSERT INTO things VALUES ('real', 'untouched')")

    def connect(self, url: str) -> Any:
        if self.kind == "postgresql":
            return psycopg.connect(url, autocommit=True)
        return pymysql.connect(**arguments(Secret(url)), autocommit=True)

    def do(self, statement: str, *, at: str = "") -> list[Any]:
        with closing(self.connect(at or self.url)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def scratch(self) -> set[str]:
        """The names of what rehearsals have made; those of others may come and go meanwhile at the same MariaDB."""
        return {name for (name,) in self.do(NAMES[self.kind]) if NAME.fullmatch(name)}

    def integration(self, *, scheme: str | None = None, more: str = "") -> str:
        url = self.url if scheme is None else f"{scheme}{self.url[self.url.index(':') :]}"
        return PLAIN.replace('url: "sqlite:///things.db"', f'url: "{url}"{more}')

    def drop(self) -> None:
        force = " WITH (FORCE)" if self.kind == "postgresql" else ""
        self.do(f"DROP DATABASE {self.name}{force}", at=self.server)


@pytest.fixture(params=SERVERS)
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    found = Home(request.param)
    yield found
    assert found.do("SELECT * FROM things") == [("real", "untouched")]
    found.drop()


@pytest.fixture
def postgres() -> Iterator[Home]:
    found = Home("postgresql")
    yield found
    found.drop()


def played(integration: Integration, *struck: Any, size: int = 60) -> tuple[ActReport, tuple[str, ...]]:
    async def go() -> tuple[ActReport, tuple[str, ...]]:
        async with scratches(integration, "destination", "") as rooms, rooms.made(cut=True) as room:
            stage = staged(integration, 1, room.folder, scratch=room)
            act = Act(name="test", seed=1, sizes={"things": size}, faults=struck)
            return await play(stage, act), rooms.said

    return asyncio.run(go())


@pytest.mark.parametrize("generic", [False, True], ids=["own way", "sqlalchemy"])
def test_what_is_written_is_at_the_server_exactly(home: Home, generic: bool) -> None:
    scheme = ALCHEMY[home.url.partition(":")[0]] if generic else None
    struck = [faults()[name](at=at) for at, name in enumerate(("503", "missing-field", "poison", "inserted"), 2)]
    report, said = played(loads(home.integration(scheme=scheme)), *struck)
    assert report.problems == []
    assert report.passes[-1].verdicts["things"].found >= 60
    assert report.passes[-1].verdicts["things"].rejected >= 1
    assert home.kind.replace("sql", "SQL").casefold() in said[0].casefold()
    assert "of its own" in said[0]


def test_r30_a_destination_that_goes_away_is_waited_for(home: Home) -> None:
    report, _ = played(loads(home.integration()), faults()["destination-away"](at=3))
    assert report.problems == []
    waits = [event["reason"] for event in report.passes[0].events if event["type"] == "Waiting"]
    assert [why for why in waits if "cannot be reached" in why]
    assert len(report.passes) == 2


def test_a_run_without_patience_ends_when_its_destination_goes_away(home: Home) -> None:
    report, _ = played(loads(home.integration(more=", patience: 10ms")), faults()["destination-away"](at=3))
    codes = [one.exit_code for one in report.passes]
    assert (codes[0], codes[-1]) == (7, 0)


@pytest.mark.slow
@pytest.mark.skipif(not can_kill(), reason="this system cannot fork")
def test_a_rehearsal_at_a_server_is_killed_at_every_station_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "things.yaml"
    file.write_text(home.integration().replace("limit: 10}", "limit: 30}"))
    found = asyncio.run(rehearse(file, faults=["kill"], records=30, scratch="destination"))
    assert {act.name: act.problems for act in found.acts if not act.holds} == {}
    became = {act.name: act.struck[0].became for act in found.acts if act.struck}
    assert "went on in the midst" in became["kill: committed"]
    assert "went on in the midst" in became["kill: rows written"]
    assert home.kind != "postgresql" or home.scratch() == set()


def test_the_checklist_looks_into_the_servers_tables_for_secrets(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "things.yaml"
    file.write_text(home.integration())
    found = asyncio.run(check(file, lines=["secrets"], scratch="destination"))
    assert found.holds
    assert " tables" in found.lines[0].evidence[1]
    assert found.instead == ()
    assert found.scratch
    assert found.lines[0].again == f"syncline check {file} --scratch destination --only secrets"


def test_what_dead_rehearsals_left_is_cleared_away_and_what_living_ones_use_is_not(home: Home) -> None:
    dead, alive = (secrets.token_hex(6) for _ in range(2))
    word = "SCHEMA" if home.kind == "postgresql" else "DATABASE"
    names = [f"syncline_rehearsal_{token}_{number}" for token in (dead, alive) for number in (1, 2)]
    for name in names:
        home.do(f"CREATE {word} {name}")

    async def go() -> None:
        async with scratches(loads(home.integration()), "destination", ""):
            pass

    lock = (
        f"SELECT pg_advisory_lock({int(alive, 16)})"
        if home.kind == "postgresql"
        else f"SELECT GET_LOCK('syncline_rehearsal_{alive}', 0)"
    )
    with closing(home.connect(home.url)) as connection, connection.cursor() as cursor:
        cursor.execute(lock)
        asyncio.run(go())
        assert home.scratch() & set(names) == set(names[2:])
    asyncio.run(go())
    assert home.scratch() & set(names) == set()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_rehearsal_that_is_stopped_leaves_nothing_for_long(postgres: Home, tmp_path: Path, number: int) -> None:
    """Ctrl-C clears away at once; what a killed one leaves, the next does."""
    (tmp_path / "things.yaml").write_text(postgres.integration())
    words = [sys.executable, "-m", "syncline.cli", "rehearse", "things.yaml", "--scratch", "destination"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"volume" not in process.stderr.readline():
            pass
        while not postgres.scratch():
            assert process.poll() is None
        os.kill(process.pid, number)
        process.wait()
    assert bool(postgres.scratch()) == (number == signal.SIGKILL)

    async def go() -> None:
        async with scratches(loads(postgres.integration()), "destination", ""):
            assert postgres.scratch() == set()

    asyncio.run(go())


def test_a_user_who_may_not_make_scratch_is_told_what_to_grant(postgres: Home) -> None:
    role = f"scratch_{secrets.token_hex(4)}"
    postgres.do(f"CREATE ROLE {role} LOGIN")
    try:
        text = postgres.integration().replace("postgres@", f"{role}@")
        with pytest.raises(StateError, match="no schema for the rehearsal can be made") as caught:
            played(loads(text))
        assert f"GRANT CREATE ON DATABASE {postgres.name}" in str(caught.value.hint)
    finally:
        postgres.do(f"DROP ROLE {role}")


def test_what_cannot_be_read_back_is_an_error_that_says_so(postgres: Home) -> None:
    gone = server_at(f"{postgres.url}_gone")
    with pytest.raises(StateError, match="cannot be read") as caught:
        gone.tables()
    assert "see that the server is up" in str(caught.value.hint)


def test_a_pooler_that_takes_no_schema_is_refused_before_anything_is_written(
    postgres: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresServer, "at", lambda self, name, way=None: self.url)
    with pytest.raises(UsageError, match="would write to 'public'"):
        played(loads(postgres.integration()))
    assert postgres.scratch() == set()
    assert postgres.do("SELECT * FROM things") == [("real", "untouched")]


def test_a_url_may_name_another_server_by_a_reference(postgres: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH_URL", postgres.url)
    act = Act(name="plain", seed=1, sizes={"things": 20})
    found = asyncio.run(rehearse(loads(PLAIN), acts=[act], scratch="${SCRATCH_URL}"))
    assert found.holds
    assert "PostgreSQL" in found.scratch[0]


def test_no_password_stands_in_the_command_that_shows_it_again() -> None:
    assert (
        shown("postgresql://me:hidden@db.example:5432/shop?sslmode=require") == "postgresql://me@db.example:5432/shop"
    )
    assert shown("postgresql://me:${PASSWORD}@db.example/shop") == "postgresql://me:${PASSWORD}@db.example/shop"
    assert shown("destination") == "destination"


@pytest.mark.parametrize(
    ("text", "wanted", "said"),
    [
        (WRITTEN, "destination", "only a file that writes to a database"),
        (PLAIN, "somewhere", "takes `destination` or a URL"),
        (PLAIN, "redis://127.0.0.1/0", "cannot be made at redis URLs"),
    ],
)
def test_scratch_that_cannot_be_is_refused(text: str, wanted: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asyncio.run(rehearse(loads(text), acts=[], scratch=wanted))


def test_a_file_that_writes_to_a_database_in_a_file_keeps_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only a variable says which kind that is."""
    monkeypatch.setenv("WHERE_TO", f"duckdb:///{tmp_path}/real.duckdb")
    text = PLAIN.replace("sqlite:///things.db", "${WHERE_TO}")
    act = Act(name="plain", seed=1, sizes={"things": 20})
    found = asyncio.run(rehearse(loads(text), acts=[act], scratch="destination"))
    assert found.holds
    assert found.notes == ()
    assert list(tmp_path.iterdir()) == []
    of_its_own_kind = PLAIN.replace(
        'kind: sql, url: "sqlite:///things.db"', f"kind: duckdb, path: {tmp_path}/real.duckdb"
    )
    assert asyncio.run(rehearse(loads(of_its_own_kind), acts=[act], scratch="destination")).holds
    assert list(tmp_path.iterdir()) == []
    without = asyncio.run(rehearse(loads(text), acts=[act]))
    assert "SQLite stood in for the database behind ${WHERE_TO}" in without.notes[0]


async def test_the_clock_stands_still_while_a_database_is_at_work() -> None:
    clock, lane, done = SimulatedClock(), Lane(), threading.Event()
    sleeping = asyncio.create_task(clock.sleep(3_600))
    working = asyncio.create_task(lane.run(done.wait))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert clock.elapsed == 0
    done.set()
    await working
    await sleeping
    assert clock.elapsed == 3_600
    lane.close()
