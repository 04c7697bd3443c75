"""The commands that `syncline new` closes with, and that its page shows, are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncline.cli import main
from syncline.cli.words import parse
from tests.generate.test_project import SHOP

PAGES = [Path(__file__).parents[2] / "docs/how-to" / name for name in ("new.md", "test.md", "export.md", "document.md")]


@pytest.mark.parametrize("extra", [[], ["--code"]], ids=["file", "code"])
def test_every_next_step_is_a_command(
    extra: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "--from", str(SHOP), "--no-input", *extra]) == 0
    steps = re.findall(r"^  \d (syncline .*?)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    assert len(steps) >= 4
    for step in steps:
        verb, arguments = parse(step.split()[1:])
        assert verb.name == step.split()[1]
        for name in (getattr(arguments, "file", None), *getattr(arguments, "paths", [])):
            assert name is None or Path("practice-shop", name).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_can_be_read(page: Path) -> None:
    commands = re.findall(r"^(?:\$ )?syncline (.*?)(?: {3,}.*| \| .*)?$", page.read_text(), re.MULTILINE)
    assert commands
    for command in commands:
        words = [word.strip("'\"") for word in re.findall(r"\"[^\"]*\"|\S*'[^']*'|\S+", command)]
        parse(words)
