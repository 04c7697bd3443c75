"""The practice shop as a process: one line when it is ready, gone when it is no longer needed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

COMMAND = [sys.executable, "-m", "syncline.rehearsal.shop", "--orders", "20"]


def start() -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, json.loads(process.stdout.readline())


@pytest.mark.slow
def test_it_says_where_it_is_and_leaves_when_its_stdin_closes() -> None:
    process, ready = start()
    with process:
        assert ready["url"].startswith("http://127.0.0.1:")
        assert ready["orders"] == 20 and ready["client_id"] and ready["client_secret"]
        with urlopen(f"{ready['url']}/_practice/stats") as answer:
            assert json.load(answer)["requests"] == 1
        with pytest.raises(HTTPError, match="401") as refused:
            urlopen(f"{ready['url']}/v2/orders")
        refused.value.close()
        assert process.stdin
        process.stdin.close()
        assert process.wait(5) == 0


@pytest.mark.slow
def test_it_leaves_on_sigterm() -> None:
    process, _ = start()
    with process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
