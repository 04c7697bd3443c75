"""The first thing anybody runs."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import SHOP, started, syncline

EXAMPLE = Path(__file__).parents[2] / "examples/shop-orders.yaml"


@pytest.mark.slow
def test_u1_one_command_shows_the_whole_within_a_minute(tmp_path: Path) -> None:
    done = started("demo", cwd=tmp_path, http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5,000 orders" in done.stdout
    assert "✓ the second run wrote 40 rows: exactly the 40 orders that changed" in done.stdout
    assert "✗" not in done.stdout
    assert "× 429" in done.stdout
    assert stat.S_IMODE((tmp_path / "demo/.env").stat().st_mode) == 0o600
    assert syncline("check", "demo", cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_the_demo_can_be_run_again_and_read_by_programs(tmp_path: Path) -> None:
    for _ in range(2):
        done = syncline("demo", "--orders", "300", "--dir", "a b", "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert all(proof["holds"] for proof in told["proofs"])
        assert len(told["changed"]) == 40
        assert told["runs"][0]["account"]["read"] == 300


@pytest.mark.parametrize("name", ["shop-orders.yaml", "shop.db", ".env"])
def test_the_demo_touches_nobody_elses_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / name).write_text("mine")
    done = syncline("demo", cwd=tmp_path)
    assert done.returncode == 2
    assert "not the demo's" in done.stderr
    assert (tmp_path / "demo" / name).read_text() == "mine"


def test_the_demos_file_is_the_example() -> None:
    demo = yaml.safe_load(SHOP.read_text().replace("{folder}/", ""))
    example = yaml.safe_load(EXAMPLE.read_text())
    del example["alerts"]  # there is nobody to tell
    del example["streams"][0]["on_reject"]  # a second run of forty orders is too small for a share
    assert demo == example
