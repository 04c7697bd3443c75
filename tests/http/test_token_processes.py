"""One token for many processes: each a Python of its own, the practice shop a process too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.token_helpers import KEY_TEXT, database

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROCESSES, REQUESTS = 8, 50


@pytest.fixture
def shop() -> Iterator[dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "syncline.rehearsal.shop", "--calm", "--orders", "20"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.communicate(timeout=10)


@pytest.fixture(params=["folder", "postgres"])
def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "tokens")
        return
    with database() as url:
        yield url


def start(*told: dict[str, Any], **changes: Any) -> subprocess.Popen[str]:
    """A process that does as told, or one that forks one for each."""
    words = [json.dumps({**one, **changes}) for one in told]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.http.token_process", *words],
        cwd=ROOT,
        env={**os.environ, "SYNCLINE_KEY": KEY_TEXT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[list[Any], str, int]:
    out, err = process.communicate(timeout=60)
    return [json.loads(line) for line in out.splitlines()], err, process.returncode


def together(*told: dict[str, Any]) -> list[Any]:
    """Let so many processes go at once when all are ready; what each answers."""
    several = start(*told)
    assert several.stdout is not None and several.stdin is not None
    for _ in told:
        assert several.stdout.readline(), several.communicate()[1]
    several.stdin.write("!" * len(told))  # each takes one
    lines, err, code = finish(several)
    assert code == 0, err
    return lines


def stats(shop: dict[str, Any]) -> dict[str, int]:
    with urllib.request.urlopen(f"{shop['url']}/_practice/stats") as answer:
        return dict(json.load(answer))


@pytest.mark.parametrize("grant", ["refresh_token", "client_credentials"])
def test_r9_fifty_requests_in_each_of_eight_processes_ask_for_one_token(
    shop: dict[str, Any], tokens: str, grant: str
) -> None:
    told = {**shop, "tokens": tokens, "act": "use", "requests": REQUESTS}
    if grant == "client_credentials":
        del told["refresh_token"]
    assert finish(start(told, act="expire"))[2] == 0
    results = together(*[told] * PROCESSES)
    assert results == [{"good": REQUESTS}] * PROCESSES
    assert stats(shop)["tokens"] == 1
    assert stats(shop)["unauthorised"] == 0
    assert together(told) == [{"good": REQUESTS}]
    assert stats(shop)["tokens"] == 1, "a process that comes later finds it too"


def test_r11_eight_processes_whose_clocks_differ_by_twenty_minutes_share_one_token(
    shop: dict[str, Any], tokens: str
) -> None:
    told = {**shop, "tokens": tokens, "act": "use", "requests": REQUESTS}
    assert finish(start(told, act="expire"))[2] == 0
    skews = [-600 + 1200 * number / (PROCESSES - 1) for number in range(PROCESSES)]
    results = together(*({**told, "skew": skew} for skew in skews))
    assert results == [{"good": REQUESTS}] * PROCESSES
    assert (stats(shop)["tokens"], stats(shop)["unauthorised"]) == (1, 0)


def test_r9_a_token_that_all_find_revoked_is_replaced_once(shop: dict[str, Any], tokens: str) -> None:
    told = {**shop, "tokens": tokens, "act": "use", "requests": REQUESTS}
    assert finish(start(told, act="revoke"))[2] == 0
    assert together(*[told] * PROCESSES) == [{"good": REQUESTS}] * PROCESSES
    assert stats(shop)["tokens"] == 1
    assert stats(shop)["unauthorised"] >= PROCESSES, "many met it at once, however busy the machine is"


def test_a_holder_that_is_killed_gives_the_lock_back(shop: dict[str, Any], tokens: str) -> None:
    told = {**shop, "tokens": tokens, "act": "use", "requests": 1}
    holder = start(told, act="hold")
    assert holder.stdout is not None
    assert "holding" in holder.stdout.readline()
    waiting = start(told)
    assert waiting.stdout is not None and waiting.stdin is not None
    waiting.stdout.readline()
    waiting.stdin.write("go\n")
    waiting.stdin.flush()
    time.sleep(0.5)  # other processes: there is no clock to simulate
    assert waiting.poll() is None
    assert stats(shop)["tokens"] == 0
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    lines, err, code = finish(waiting)
    assert (code, lines) == (0, [{"good": 1}]), err


def test_killed_between_answer_and_save_leaves_a_note_and_no_half_token(shop: dict[str, Any], tmp_path: Path) -> None:
    """The shop takes a refresh token once and never again, so nobody can get in; but everybody is told why."""
    told = {**shop, "tokens": str(tmp_path / "tokens"), "requests": 1}
    dying = start(told, act="die")
    dying.communicate("go\n", timeout=60)
    assert dying.returncode == 9
    assert stats(shop)["tokens"] == 1
    after = start(told, act="use")
    _, err = after.communicate("go\n", timeout=60)
    assert after.returncode == 1
    assert "AuthError" in err
    assert "refused" in err
    for path in (tmp_path / "tokens").iterdir():
        assert path.suffix in (".token", ".lock")
