"""Kinds that other packages bring: the documented example, installed beside Syncline and used from the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from syncline.rehearsal.simulator.wire import Answer, Call, answered
from tests.cli.conftest import PLAIN, Answering, started

PAGE = (Path(__file__).parents[2] / "docs/how-to/kinds.md").read_text()


def installed(folder: Path, module: str) -> Path:
    """A folder with what pip would have installed: the page's entry point, and this text as its module."""
    entries = re.search(r"```toml\n\[project\.entry-points\.\"(.+)\"\]\n\"(.+)\" = \"(.+)\"\n```", PAGE)
    assert entries is not None
    group, name, home = entries.groups()
    package, _, file = home.partition(".")
    place = folder / "site"
    place.joinpath(package).mkdir(parents=True)
    place.joinpath(package, "__init__.py").touch()
    place.joinpath(package, f"{file}.py").write_text(module)
    about = place / "house_auth-1.0.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: house-auth\nVersion: 1.0\n")
    about.joinpath("entry_points.txt").write_text(f"[{group}]\n{name} = {home}\n")
    return place


def test_the_documented_kind_is_found_by_its_entry_point(tmp_path: Path, answering: Answering) -> None:
    seen: list[str | None] = []

    def answer(call: Call) -> Answer:
        seen.append(call.headers.get("X-House"))
        return answered([{"id": 1}])

    module = re.search(r"```python\n(.+?)```", PAGE, re.DOTALL)
    assert module is not None
    house = 'auth: {kind: house, word: "${HOUSE_WORD}"}'
    assert house in PAGE
    text = PLAIN.format(url=answering(answer))
    (tmp_path / "plain.yaml").write_text(re.sub(r"auth: .+", house, text))
    env = {"PYTHONPATH": str(installed(tmp_path, module[1])), "HOUSE_WORD": "open-sesame"}

    checked = started("check", "--lint", "plain.yaml", cwd=tmp_path, **env)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert '"auth.house"' in started("schema", cwd=tmp_path, **env).stdout
    ran = started("run", "plain.yaml", "--no-progress", cwd=tmp_path, **env)
    assert ran.returncode == 0, ran.stderr
    assert seen == ["open-sesame"]

    absent = started("check", "plain.yaml", cwd=tmp_path, HOUSE_WORD="open-sesame")
    assert absent.returncode == 2
    assert "there is no auth kind 'house'" in absent.stdout + absent.stderr


def test_a_package_that_cannot_be_imported_is_named_to_who_needs_it_and_stops_nobody_else(tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(installed(tmp_path, "import nothing_of_this_name\n")), "PLAIN_TOKEN": "t"}
    text = PLAIN.format(url="http://127.0.0.1:9")
    (tmp_path / "plain.yaml").write_text(text)
    assert started("check", "--lint", "plain.yaml", cwd=tmp_path, **env).returncode == 0
    (tmp_path / "house.yaml").write_text(re.sub(r"auth: .+", "auth: {kind: house}", text))
    told = started("check", "house.yaml", cwd=tmp_path, **env)
    assert told.returncode == 2
    what = " ".join((told.stdout + told.stderr).split())
    assert "auth kind 'house' comes from package 'house-auth'" in what
    assert "No module named 'nothing_of_this_name'" in what


def test_a_kind_that_syncline_has_cannot_be_taken_even_before_it_is_imported() -> None:
    program = """
from typing import Literal
from syncline import register
from syncline.auth.auth import Auth
class Digest(Auth):
    kind: Literal["digest"] = "digest"
try:
    register("auth")(Digest)
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "auth kind 'digest' is taken by syncline.auth.digest.Digest\n"
