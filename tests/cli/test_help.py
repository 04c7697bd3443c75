"""Help is quick, short and complete."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from syncline import __version__
from syncline.cli import main
from syncline.cli.table import GROUPS, VERBS, overview
from syncline.cli.words import ADD

HEAVY = ("pydantic", "aiohttp", "rich", "structlog", "dataclasses", "msgspec", "asyncio", "yaml", "sqlite3")


def test_the_overview_fits_a_screen_and_names_every_verb() -> None:
    lines = overview().splitlines()
    assert len(lines) <= 30
    assert max(len(line) for line in lines) <= 110
    for verb in VERBS:
        assert any(line.startswith(f"  {verb.name} ") and verb.line in line for line in lines)
        assert verb.group in GROUPS


def test_every_verb_has_its_words_its_module_and_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    modules = {path.stem for path in (Path(__file__).parents[2] / "src/syncline/cli/verbs").glob("*.py")} - {"__init__"}
    assert set(ADD) == {verb.name for verb in VERBS} == modules
    for verb in VERBS:
        assert main([verb.name, "--help"]) == 0
        shown = capsys.readouterr().out
        assert f"usage: syncline {verb.name}" in shown
        assert "--json" in shown


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_ways_to_ask_for_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == overview() + "\n"


def test_help_of_a_verb_can_be_asked_for_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "run"]) == 0
    assert "usage: syncline run" in capsys.readouterr().out


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"syncline {version('syncline')}\n"
    assert version("syncline") == __version__


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"]])
def test_u3_help_imports_nothing_heavy(words: list[str]) -> None:
    program = (
        f"import sys; from syncline.cli import main; code = main({words!r});"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_u3_help_takes_at_most_three_times_bare_python(words: list[str]) -> None:
    bare, ours = ["-c", "pass"], ["-c", "import sys; from syncline.cli import main; sys.exit(main())", *words]
    # the pairs are measured in turn, so that a busy machine slows both
    times = [(_cpu(bare), _cpu(ours)) for _ in range(9)]
    assert min(mine for _, mine in times) <= 3 * min(python for python, _ in times)


@pytest.mark.slow
def test_u3_a_small_run_costs_little_more_than_the_libraries_it_stands_on(folder: Path) -> None:
    libraries = ["-c", "import asyncio, aiohttp, msgspec, pydantic, sqlite3, yaml"]
    ours = ["-m", "syncline.cli", "run", "shop.yaml", "--no-progress"]
    times = [(_cpu(libraries), _cpu(ours, folder)) for _ in range(5)]
    assert min(mine for _, mine in times) <= 2.2 * min(floor for floor, _ in times)


def _cpu(words: list[str], cwd: Path | None = None) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=cwd, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
