"""The house as a whole: its public face, its weight, and documents that cannot lie."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

import syncline
from syncline.model import kinds
from syncline.spec import load

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.joinpath("docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def test_the_reference_says_what_the_code_says() -> None:
    # in a process of its own: kinds that other tests register do not belong there
    script = (
        "import json, runpy; pages = runpy.run_path('docs/reference/build.py')['PAGES'];"
        "print(json.dumps({name: page() for name, page in pages.items()}))"
    )
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    for name, page in json.loads(found.stdout).items():
        assert ROOT.joinpath("docs/reference", name).read_text() == page, f"{name} is out of date: make docs"


def test_the_public_surface_is_small_and_every_name_is_there() -> None:
    assert len(syncline.__all__) <= 40
    for name in syncline.__all__:
        assert getattr(syncline, name).__doc__, name
    assert set(syncline.__all__) <= set(dir(syncline))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = syncline.nothing_like_it


@pytest.mark.parametrize("stub", sorted(ROOT.joinpath("src").rglob("__init__.pyi")), ids=lambda stub: stub.parent.name)
def test_type_checkers_know_the_same_names(stub: Path) -> None:
    room = importlib.import_module(".".join(stub.relative_to(ROOT / "src").parent.parts))
    names = re.findall(r"\w+ as (\w+)", stub.read_text())
    assert sorted(names) == sorted(room.__all__)
    assert [name for name in names if not hasattr(room, name)] == []


@pytest.mark.parametrize("family", ["auth", "pagination"])
def test_every_kind_that_is_announced_is_there_and_the_other_way_round(family: str) -> None:
    room = importlib.import_module(f"syncline.{family}")
    ours = {name: part for name, part in kinds(family).items() if part.__module__.startswith("syncline.")}
    assert {name: part.__module__ for name, part in ours.items()} == {
        name: f"{room.__name__}.{home}" for name, home in room._KINDS.items()
    }


def test_importing_syncline_imports_nothing_else() -> None:
    script = "import sys; before = set(sys.modules); import syncline; print(*(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) - {"__future__"} == {"syncline"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_in_the_documents_leads_nowhere(page: Path) -> None:
    targets = [target for target, _ in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_whole_integration_files_in_the_documents_load(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S)):
        if re.search(r"^name:", block, re.M) and re.search(r"^destination:", block, re.M):
            file = tmp_path / f"{page.stem}-{number}.yaml"
            file.write_text(block)
            load(file)


@pytest.mark.parametrize("example", sorted(ROOT.joinpath("examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_loads(example: Path) -> None:
    load(example)


def _needed(name: str, found: set[str]) -> set[str]:
    if name not in found:
        found.add(name)
        for requirement in distribution(name).requires or []:
            if (
                "extra ==" not in requirement
                and "python_version <" not in requirement
                and "sys_platform ==" not in requirement
            ):
                _needed(re.split(r"[\s;<>=!~\[(]", requirement)[0].lower().replace("_", "-"), found)
    return found


def test_u2_core_and_command_line_are_light() -> None:
    needed = _needed("syncline", set()) - {"syncline"}
    assert len(needed) <= 25, sorted(needed)
    size = 0
    for name in needed:
        for file in distribution(name).files or []:
            path = Path(str(file.locate()))
            if path.suffix != ".pyc" and path.is_file():
                size += path.stat().st_size
    assert size <= 30_000_000, f"{size / 1e6:.1f} MB"
