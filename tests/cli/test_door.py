"""How what went wrong leaves."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncline import errors
from syncline.cli.account import look_into_sqlite, reported_block, ways_to_look
from syncline.cli.door import block, tell
from syncline.cli.paint import aligned, paint, printable
from syncline.errors import Mistake, SpecError, SynclineError
from syncline.secrets import Redactor
from syncline.spec import Integration

UNTIL = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> str:
    known = Redactor()
    known.add("canary-0123456789")
    monkeypatch.setattr("syncline.secrets.redactor", known)
    return "canary-0123456789"


def test_u7_every_error_is_one_block_with_its_fix(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 300
    error = SynclineError(long, hint=long, evidence=long, cause=long, stream="orders", page=3)
    assert tell(error, json=False, debug=False) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) <= 12
    for label in ("where", "seen", "cause", "fix"):
        assert any(line.startswith(f"  {label}") for line in err.splitlines())


def test_u7_mistakes_of_a_file_are_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    found = [Mistake("shop.yaml", line, 1, "a", "is wrong") for line in range(1, 31)]
    assert tell(SpecError("30 mistakes", mistakes=found), json=False, debug=False) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert "shop.yaml:1:1: a: is wrong" in lines[1]
    assert "20 more" in lines[-1]
    tell(SpecError("30 mistakes", mistakes=found), json=True, debug=False)
    assert len(json.loads(capsys.readouterr().out)["error"]["mistakes"]) == 30


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.SpecError("x"), 2),
        (errors.PlanError("x"), 1),
        (errors.AuthError("x"), 4),
        (errors.PartialError("x"), 5),
        (errors.DeferredError("x", until=UNTIL), 6),
        (errors.WriteError("x"), 7),
        (errors.StateError("x"), 7),
        (errors.LeaseError("x"), 75),
        (KeyboardInterrupt(), 130),
        (asyncio.CancelledError(), 130),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_u18_every_kind_of_error_has_its_exit_code(
    problem: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(problem, json=False, debug=False) == code
    assert tell(problem, json=True, debug=False) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["exit_code"] == code
    assert "Traceback" not in err


def test_a_bug_says_that_it_is_ours_and_how_to_report_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(_raised(KeyError("x")), json=False, debug=False) == 1
    err = capsys.readouterr().err
    assert err.startswith("bug: KeyError: 'x'")
    assert "test_door.py:" in err
    assert "--debug" in err


def _raised(problem: Exception) -> Exception:
    try:
        raise problem
    except Exception as caught:
        return caught


def test_s9_tracebacks_blocks_and_data_are_redacted(canary: str, capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        tell(_raised(RuntimeError(f"x {canary} y")), json=as_json, debug=True)
        tell(SynclineError(f"x {canary}", hint=canary, url=f"http://u:{canary}@h/"), json=as_json, debug=True)
        tell(SpecError("x", mistakes=[Mistake("f", 1, 1, "p", canary)]), json=as_json, debug=True)
    out, err = capsys.readouterr()
    assert "Traceback" in err
    assert "***" in out
    assert "***" in err
    assert canary not in out + err


def test_what_an_api_says_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell(SynclineError("the server said \x1b]0;title\x07 \x1b[2J", evidence="\x9b31m\r"), json=False, debug=False)
    err = capsys.readouterr().err
    assert not set(err) & {"\x1b", "\x07", "\x9b", "\r"}
    assert "\\x1b" in err


def test_colours_are_for_terminals() -> None:
    error = SynclineError("what", hint="fix it")
    assert "\x1b[1;31merror:" in block(error, colour=True)
    assert "\x1b" not in block(error)


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert paint(Terminal()).on  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert not paint(Terminal()).on  # type: ignore[arg-type]


def test_an_error_out_of_a_report_is_the_same_block() -> None:
    error = errors.AuthError("refused", hint="log in", evidence="401", stream="orders")
    assert reported_block(error.to_data(), colour=False) == error.block()


def test_tables_align_and_stay_on_their_lines() -> None:
    lines = aligned(
        [["name", "count"], ["a\nb", "1"], ["long name", "1,000"]], right=frozenset((1,)), brush=paint(on=False)
    )
    assert lines == ["  name       count", "  a b            1", "  long name  1,000"]
    assert printable("plain é 漢") == "plain é 漢"


def test_commands_to_look_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3
    import subprocess

    path = tmp_path / "it's.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE things AS SELECT 1 AS id, 'pear' AS name")
    database.close()
    monkeypatch.setattr("syncline.cli.account.shutil.which", lambda _: None)
    command = look_into_sqlite(str(path), "SELECT * FROM things LIMIT 5")
    monkeypatch.undo()
    assert "pear" in subprocess.run(command, shell=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("path", "command"),
    [("out", "ls -l out"), ("lake/{stream}/{run}.jsonl", "ls -R lake"), ("{stream}.jsonl", "ls -R .")],
)
def test_commands_to_look_at_files_name_what_is_there(path: str, command: str) -> None:
    file = {"name": "x", "source": {"kind": "rest", "base_url": "https://api.example"}}
    streams = [{"name": "a", "path": "/a", "into": {"write": "append"}}]
    destination = {"kind": "file", "path": path}
    assert ways_to_look(Integration.model_validate({**file, "streams": streams, "destination": destination})) == [
        command
    ]
