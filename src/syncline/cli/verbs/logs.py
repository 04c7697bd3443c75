"""`syncline logs`: the lines that an integration's runs have written, and those that come."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.door import redacted_text
from syncline.cli.paint import Paint, paint, printable
from syncline.errors import UsageError
from syncline.operate.home import Home
from syncline.operate.log_lines import LEVELS
from syncline.spec import load

EVERY = 0.25
"""Seconds from one look at a followed file to the next."""
FIRST = ("timestamp", "level", "event", "run_id", "integration", "stream")


def main(arguments: argparse.Namespace) -> int:
    name = arguments.name
    if Path(name).suffix in (".yaml", ".yml", ".py"):
        name = load(name).name
    path = Home().log(name)
    if not path.exists() and not arguments.follow:
        names = sorted(file.stem for file in path.parent.glob("*.jsonl") if not file.stem.endswith(".1"))
        hint = f"there is: {', '.join(names[:6])}" if names else "syncline run and syncline serve write it, here"
        raise UsageError(f"there is no log of {name!r} in {path.parent}", hint=hint)
    brush = paint(sys.stdout)
    for line in _lines(path, arguments):
        sys.stdout.write(_json(line) if arguments.json else shown(line, brush))
        sys.stdout.flush()
    return 0


def _lines(path: Path, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    def wanted(line: dict[str, Any]) -> bool:
        level = LEVELS.get(str(line.get("level")), 0)
        return level >= LEVELS[arguments.level] and str(line.get("run_id", "")).startswith(arguments.run or "")

    tail = Tail(path)
    before = [line for line in (*_decoded(_content(path.with_suffix(".1.jsonl"))), *tail.fresh()) if wanted(line)]
    yield from before[-arguments.lines :]
    while arguments.follow:
        time.sleep(EVERY)
        yield from (line for line in tail.fresh() if wanted(line))


class Tail:
    """A file that grows, read on from where the last look ended, over the moment when it is set aside for a new one."""

    def __init__(self, path: Path) -> None:
        self._path, self._place, self._rest = path, 0, b""

    def fresh(self) -> list[dict[str, Any]]:
        """The lines that were completed since the last look."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._place:
                    self._place, self._rest = 0, b""
                file.seek(self._place)
                content = self._rest + file.read()
                self._place = file.tell()
        except FileNotFoundError:
            return []
        whole, newline, self._rest = content.rpartition(b"\n")
        return list(_decoded(whole + newline))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _decoded(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        try:
            yield dict(msgspec.json.decode(line))
        except (msgspec.DecodeError, TypeError, ValueError):
            continue  # cut off by a power cut


def shown(line: dict[str, Any], brush: Paint) -> str:
    """One line for people: when, how bad, which run, what."""
    level = str(line.get("level", ""))
    colour = {"error": brush.bad, "warning": brush.warn}.get(level, str)
    rest = " ".join(
        f"{brush.dim(f'{printable(str(name))}=')}{printable(redacted_text(_value(value)))}"
        for name, value in line.items()
        if name not in FIRST
    )
    run, stream = str(line.get("run_id", ""))[:8], str(line.get("stream", ""))
    head = f"{brush.dim(printable(str(line.get('timestamp', ''))))} {colour(f'{printable(level):<7}')}"
    place = brush.dim(printable(f"{run:<8}")) + (f" {brush.name(printable(stream))}" if stream else "")
    return f"{head} {place} {brush.bold(printable(str(line.get('event', ''))))} {rest}".rstrip() + "\n"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _json(line: dict[str, Any]) -> str:
    return msgspec.json.encode(line).decode() + "\n"
