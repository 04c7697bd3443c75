"""`make soak MINUTES=30 INTEGRATIONS=200`: a folder of integrations at short intervals, faults on the way, files that change."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncline.model import Rate
from syncline.rehearsal.shop.faults import Faults
from syncline.rehearsal.shop.server import Shop
from tests.soak.account import Sample, floor_grows, judge, runs_of, slope

ORDERS = 200
EVERY = 5.0
"""Seconds from one look at the server's numbers to the next."""
WARM_UP = 20.0
MOST_GROWTH = 500_000.0
"""Bytes a minute."""
MOST_FILES = 3.0

FILE = """\
name: {name}
schedule: {{every: {interval}s}}
source:
  kind: rest
  base_url: ${{SHOP_URL}}/v2
  auth: {{kind: oauth2, grant: client_credentials, token_url: "${{SHOP_URL}}/oauth/token", client_id: "${{SHOP_CLIENT_ID}}",
         client_secret: "${{SHOP_CLIENT_SECRET}}", scopes: [orders.read]}}
  retry: {{attempts: 6, max_wait: 20s}}
streams:
  - name: orders
    path: /orders
    records: data
    primary_key: id
    pagination: {{kind: cursor, next: meta.next_cursor, param: cursor, limit_param: limit, limit: 100}}
    incremental: {{cursor: updated_at, param: updated_since, lookback: 5m}}
    into: {{table: orders, write: upsert}}
destination: {{kind: sql, url: "sqlite:///data/{name}.db"}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--integrations", type=int, default=200)
    parser.add_argument(
        "--shortest", type=int, default=30, help="the shortest interval in seconds; the longest is three times it"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncline-soak-"))
    faults = asyncio.run(_soak(options, folder))
    for fault in faults:
        print(f"FAILED {fault}")
    print(f"its folder: {folder}" if faults else "nothing missed, nothing doubled, nothing leaked")
    return 1 if faults else 0


async def _soak(options: argparse.Namespace, folder: Path) -> list[str]:
    chance = random.Random(options.seed)
    files, data = folder / "integrations", folder / "data"
    files.mkdir()
    data.mkdir()
    intervals: dict[str, float] = {}
    for number in range(options.integrations):
        name = f"soak-{number:03}"
        intervals[name] = float(chance.randint(options.shortest, options.shortest * 3))
        files.joinpath(f"{name}.yaml").write_text(FILE.format(name=name, interval=int(intervals[name])))
    shop = Shop(orders=ORDERS, seed=options.seed, faults=Faults(rate=Rate(1_000, 1.0), limited_every=200, error_every=60,
                                                               drop_every=90, revoke_every=150))  # fmt: skip
    async with shop.serve(0) as url:
        secrets = {
            "SHOP_URL": url,
            "SHOP_CLIENT_ID": shop.tokens.client_id,
            "SHOP_CLIENT_SECRET": shop.tokens.client_secret,
        }
        files.joinpath(".env").write_text("".join(f"{name}='{value}'\n" for name, value in secrets.items()))
        return await asyncio.to_thread(_watch, options, folder, intervals, chance)


def _watch(options: argparse.Namespace, folder: Path, intervals: dict[str, float], chance: random.Random) -> list[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    log = folder / "serve.log"
    words = [sys.executable, "-m", "syncline.cli", "serve", "integrations", "--port", str(port), "--log-format", "json"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=dict(os.environ)
        )
    began, samples, files = time.monotonic(), list[Sample](), folder / "integrations"
    while (passed := time.monotonic() - began) < options.minutes * 60:
        time.sleep(EVERY)
        if process.poll() is not None:
            return [f"the server ended by itself with {process.returncode}: see {log}"]
        if sample := _sample(port, passed):
            samples.append(sample)
        if chance.random() < 0.3:  # somebody saves a file again, or breaks one that nobody needs
            path = files / f"{chance.choice(sorted(intervals))}.yaml"
            path.write_text(path.read_text())
            files.joinpath("broken.yaml").write_text("name: broken\n" * chance.randint(1, 3))
    asked, stopped = time.monotonic(), datetime.now(UTC)
    process.send_signal(signal.SIGTERM)
    code = process.wait(30)
    leaving = time.monotonic() - asked
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [*_faults(lines, intervals, samples, stopped), *_ending(code, leaving), *_data(folder, intervals)]


def _sample(port: int, seconds: float) -> Sample | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, TimeoutError):
        return None
    numbers = {name: float(value) for name, value in re.findall(r"^(process_\w+) (\S+)$", text, re.M)}
    return Sample(seconds, numbers["process_resident_memory_bytes"], numbers["process_open_fds"])


def _faults(
    lines: list[dict[str, Any]], intervals: dict[str, float], samples: list[Sample], stopped: datetime
) -> list[str]:
    runs = runs_of(lines)
    first = min(run.began for own in runs.values() for run in own)
    begin = datetime.fromtimestamp(first.timestamp() + WARM_UP, UTC)
    rhythm = judge(runs, intervals, begin, stopped)
    statuses = Counter(run.status for own in runs.values() for run in own)
    growth, more_files = slope(samples, "memory"), floor_grows(samples)
    print(f"{sum(statuses.values())} runs: {dict(statuses)}")
    print(f"{rhythm.due} due times, {rhythm.ran} runs within them, the latest {rhythm.late:.2f} s behind its time")
    memory = f"{samples[0].memory / 1e6:.0f} → {samples[-1].memory / 1e6:.0f} MB"
    print(f"memory {memory}, {growth / 1e3:+.0f} kB a minute in the second half")
    print(f"files and connections {samples[0].files:.0f} → {samples[-1].files:.0f}, {more_files:+.0f} at their fewest")
    found = [f"missed: {what}" for what in rhythm.missed[:5]]
    found += [f"doubled: {what}" for what in rhythm.doubled[:5]] + [
        f"at once: {what}" for what in rhythm.overlapped[:5]
    ]
    if growth > MOST_GROWTH:
        found.append(f"memory grows by {growth / 1e6:.1f} MB a minute")
    if more_files > MOST_FILES:
        found.append(f"{more_files:.0f} more files or connections stay open")
    if len(runs) < len(intervals):
        found.append(f"{len(intervals) - len(runs)} integrations never ran")
    return found


def _ending(code: int, seconds: float) -> list[str]:
    print(f"it left within {seconds:.1f} s of SIGTERM")
    return [f"it left with {code} after {seconds:.1f} s"] if code or seconds > 10 else []


def _data(folder: Path, intervals: dict[str, float]) -> list[str]:
    """Each database holds each order once."""
    wrong = []
    for name in intervals:
        with sqlite3.connect(folder / "data" / f"{name}.db") as database:
            rows, different = database.execute("SELECT count(*), count(DISTINCT id) FROM orders").fetchone()
        if (rows, different) != (ORDERS, ORDERS):
            wrong.append(f"{name} holds {rows} rows of {different} orders, not {ORDERS}")
    return wrong[:5]


if __name__ == "__main__":
    sys.exit(main())
