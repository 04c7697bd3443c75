"""Syncline as a process, a calm practice shop, and a server that says what it is told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

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


class Answering:
    """A server whose every answer `answer(handler)` decides; `url` is its address."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, body = answer(self)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    servers: list[Answering] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]) -> Answering:
        servers.append(Answering(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


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
