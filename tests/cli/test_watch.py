"""`syncline preview --watch`: what the file makes of the same answers, while it is being edited."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ShopProcess, command, environment


def requests_of(shop: ShopProcess) -> int:
    with urllib.request.urlopen(f"{shop.ready['url']}/_practice/stats") as response:
        return int(json.load(response)["requests"])


@pytest.mark.slow
def test_u5_an_edit_is_shown_at_once_and_asks_nobody(folder: Path, shop: ShopProcess) -> None:
    file = folder / "shop.yaml"
    watching = subprocess.Popen(
        command("preview", "shop.yaml", "-n", "1", "--watch", "--json"),
        cwd=folder,
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None

    def saved(old: str, new: str) -> tuple[Any, float]:
        file.write_text(file.read_text().replace(old, new))
        began = time.perf_counter()
        assert watching.stdout is not None
        return json.loads(watching.stdout.readline()), time.perf_counter() - began

    try:
        first = json.loads(watching.stdout.readline())
        asked = requests_of(shop)
        assert "currency" in first["streams"][0]["records"][0]["mapped"]
        second, took = saved("currency: currency", "money: currency")
        assert second["streams"][0]["records"][0]["mapped"]["money"] == "EUR"
        broken, _ = saved("money: currency", "money: [")
        assert broken["exit_code"] == 2
        third, again = saved("money: [", "cash: currency")
        assert "cash" in third["streams"][0]["records"][0]["mapped"]
        assert requests_of(shop) == asked + 1  # the question itself
        assert min(took, again) < 0.5
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=10) == 0
        watching.stdout.close()
