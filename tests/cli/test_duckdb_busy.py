"""What is said of a DuckDB file while another process writes it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncline.cli import main
from syncline.destinations import DuckDb
from syncline.model import SystemClock

HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
FILE = """\
name: {name}
source: {{kind: rest, base_url: "http://127.0.0.1:9"}}
streams: [{{name: orders, path: /orders, primary_key: id}}]
destination: {destination}
"""


@contextmanager
def held(path: Path) -> Iterator[int]:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process.pid
        finally:
            process.communicate()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One integration into DuckDB, which has run, and one into SQLite, which has not."""
    monkeypatch.chdir(tmp_path)
    Path("duck.yaml").write_text(FILE.format(name="duck", destination="{kind: duckdb, path: shop.duckdb}"))
    Path("lite.yaml").write_text(FILE.format(name="lite", destination='{kind: sql, url: "sqlite:///lite.db"}'))

    async def run_once() -> None:
        destination = DuckDb(path="shop.duckdb")
        async with destination.open(integration="duck", default_state=Path("none"), clock=SystemClock()):
            pass

    asyncio.run(run_once())
    return tmp_path


def test_status_says_who_writes_and_tells_about_the_others(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(files / "shop.duckdb") as holder:
        assert main(["status", "duck.yaml", "lite.yaml"]) == 75
        said = capsys.readouterr().out
        assert main(["status", "duck.yaml", "lite.yaml", "--json"]) == 75
        busy, lite = json.loads(capsys.readouterr().out)["integrations"]
    assert f"process {holder}" in said and "being written" in said
    assert "never run" in said and "lite.yaml" in said
    assert f"process {holder}" in busy["busy"] and lite["streams"][0]["status"] == "never run"
    assert main(["status", "duck.yaml", "lite.yaml"]) == 0


def test_doctor_does_not_call_a_run_under_way_broken(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(files / "shop.duckdb") as holder:
        assert main(["doctor", "duck.yaml", "--offline"]) == 0
    said = capsys.readouterr().out
    assert f"process {holder}" in said and "ask again when it is done" in said
    assert "broken" not in said
