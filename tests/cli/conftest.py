"""Syncline as a process, a calm practice shop, and a server that says what it is told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from syncline.rehearsal.simulator.wire import Answer, Call
from tests.support.forked import forked
from tests.support.serving import Saying, serving_aside

SHOP = Path(__file__).parents[2] / "src/syncline/cli/verbs/shop-orders.yaml"

Files = Callable[..., Path]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "syncline.cli", *words]


def environment(**more: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SHOP_", "NO_COLOR", "FORCE_COLOR"))
    }
    return {**kept, **more}


def syncline(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, without a terminal."""
    return forked("syncline.cli", words, cwd=cwd, env=environment(**env))


def started(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The same in a process that starts anew: for what its start itself has to show."""
    return subprocess.run(
        command(*words),
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


class ShopProcess:
    """The practice shop as a process; leaves when its stdin closes."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "syncline.rehearsal.shop", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate(timeout=10)


@pytest.fixture(scope="session")
def shop() -> Iterator[ShopProcess]:
    running = ShopProcess("--calm", "--orders", "300", "--without-email", "2")
    yield running
    running.close()


@pytest.fixture
def folder(tmp_path: Path, shop: ShopProcess) -> Path:
    """An integration of the calm shop: `shop.yaml` and its `.env`."""
    write_files(tmp_path, shop.ready)
    return tmp_path


def write_files(folder: Path, ready: dict[str, Any], **changes: str) -> Path:
    """`shop.yaml` with some texts replaced (old=new, underscores as they are), and `.env`."""
    text = (
        SHOP.read_text()
        .replace("sqlite:///{folder}/shop.db", "sqlite:///shop.db")
        .replace("rate_limit: 20/s", "rate_limit: 500/s")
    )
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    names = {"SHOP_URL": "url", "SHOP_CLIENT_ID": "client_id", "SHOP_CLIENT_SECRET": "client_secret"}
    (folder / ".env").write_text("".join(f"{name}='{ready[key]}'\n" for name, key in names.items()))
    (folder / "shop.yaml").write_text(text)
    return folder / "shop.yaml"


Answering = Callable[[Callable[[Call], Answer]], str]
"""Starts a server whose every answer a function decides; gives its address."""


@pytest.fixture
def answering() -> Iterator[Answering]:
    with ExitStack() as stack:
        yield lambda say: stack.enter_context(serving_aside(Saying(say)))


PLAIN = """\
name: plain
source:
  kind: rest
  base_url: {url}
  auth: {{kind: bearer, token: "${{PLAIN_TOKEN}}"}}
  retry: {{attempts: 1, max_wait: 1m}}
streams:
  - name: things
    path: /things
    primary_key: id
destination:
  kind: sql
  url: sqlite:///plain.db
"""
