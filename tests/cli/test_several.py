"""`syncline run` of several files: side by side, one line each, and the worst exit code of all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import syncline
from tests.engine.shelf import Shelf, books
from tests.support.serving import serving


def write(folder: Path, url: str, *names: str) -> None:
    for name in names:
        whole = {
            "name": name,
            "source": {"kind": "rest", "base_url": url},
            "streams": [books(into={"table": name})],
            "destination": {"kind": "sql", "url": "sqlite:///shelf.db"},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(whole))


@pytest.mark.slow
async def test_a_folder_runs_side_by_side_and_the_worst_decides_the_exit_code(tmp_path: Path) -> None:

    async with serving(Shelf(books=4)) as url:
        write(tmp_path, url, "first", "last")
        done = await asyncio.to_thread(syncline, "run", ".", cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        assert [line.split()[:4] for line in done.stdout.splitlines()[-2:]] == [
            ["✓", "first", "done", "4"],
            ["✓", "last", "done", "4"],
        ]
        (tmp_path / "broken.yaml").write_text("name: broken\nstreams: []\n")
        again = await asyncio.to_thread(
            syncline, "run", "last.yaml", "broken.yaml", "first.yaml", "--json", cwd=tmp_path
        )
        reports = json.loads(again.stdout)
        assert [report["status"] for report in reports] == ["done", "failed", "done"]
        assert again.returncode == 2 == reports[1]["exit_code"]
        one = await asyncio.to_thread(syncline, "run", ".", "--stream", "books", cwd=tmp_path)
        assert one.returncode == 2 and "--stream is for one file" in one.stderr
