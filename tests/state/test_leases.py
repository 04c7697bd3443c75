"""Leases between real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from syncline.state import Owner

ROOT = Path(__file__).parents[2]


def start(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.state.holding", str(path)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> int:
    process.communicate("")
    return process.returncode


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.slow
def test_r31_the_loser_exits_and_a_killed_holders_lease_is_taken_over(tmp_path: Path):
    path = tmp_path / "state.db"
    first = start(path)
    assert said(first) == "held 1"

    began = time.monotonic()
    second = start(path)
    assert said(second).startswith(f"refused shop.orders is held by process {first.pid} on ")
    assert end(second) == 75
    assert time.monotonic() - began < 5  # the interpreter's start included, on a busy machine

    first.kill()  # and not waited for: a zombie is dead too
    third = start(path)
    while (line := said(third)).startswith("refused"):  # the signal takes a moment to arrive
        end(third)
        third = start(path)
    assert line == "held 2"
    assert end(first) < 0
    assert end(third) == 0
    fourth = start(path)
    assert said(fourth) == "held 3"
    end(fourth)


@pytest.mark.slow
def test_r31_of_many_at_once_one_holds_it(tmp_path: Path):
    racers = [start(tmp_path / "state.db") for _ in range(4)]
    lines = [said(racer).split()[0] for racer in racers]
    for racer in racers:
        end(racer)
    assert sorted(lines) == ["held", "refused", "refused", "refused"]


def test_a_process_is_dead_only_where_that_is_certain():
    me = Owner.current()
    assert not me.is_dead()
    assert msgspec.structs.replace(me, born="1").is_dead()  # another process had this id before
    assert not msgspec.structs.replace(me, place="another container", pid=999_999_999).is_dead()
    child = subprocess.Popen([sys.executable, "-c", ""])
    gone = msgspec.structs.replace(me, pid=child.pid, born=Owner.current().born)
    child.wait()
    assert gone.is_dead()


def test_without_proc_the_process_id_alone_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("syncline.state.owner.PROC", tmp_path)
    me = Owner.current()
    assert (me.born, me.place) == ("", me.host)
    assert not me.is_dead()
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert msgspec.structs.replace(me, pid=child.pid).is_dead()
    assert os.getpid() == me.pid
