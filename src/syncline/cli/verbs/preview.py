"""`syncline preview`: records as they come beside the rows they become."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.door import as_json, redacted_text, tell
from syncline.cli.paint import Paint, is_terminal, paint, printable
from syncline.engine import PreviewedRecord, StreamPreview, preview
from syncline.errors import SynclineError
from syncline.model import encode_json
from syncline.recordings import AskingOnce, Kept

MOST_LINES = 30
LOOK_EVERY = 0.05


def main(arguments: argparse.Namespace) -> int:
    if arguments.watch:
        try:
            asyncio.run(_watch(arguments))
        except KeyboardInterrupt:  # the way to end it
            return 0
    _show(asyncio.run(_preview(arguments)), arguments)
    return 0


async def _preview(arguments: argparse.Namespace, **more: Any) -> list[StreamPreview]:
    return await preview(arguments.file, streams=arguments.stream, records=arguments.records, **more)


async def _watch(arguments: argparse.Namespace) -> None:
    """Again with every change of the file, over the answers that are known already; ends by Ctrl-C only."""
    answers: dict[Any, Kept] = {}
    file = Path(arguments.file)
    async for _ in _changes(file):
        known, began = len(answers), time.perf_counter()
        found: list[StreamPreview] | None = None
        try:
            found = await _preview(arguments, through=lambda client: AskingOnce(client, answers))
        except SynclineError as error:
            problem = error
        took = (time.perf_counter() - began) * 1000
        if is_terminal(sys.stdout) and not arguments.json:
            sys.stdout.write("\x1b[2J\x1b[H")
        if found is None:
            tell(problem, json=arguments.json, debug=arguments.debug)
        else:
            _show(found, arguments)
        if not arguments.json:
            asked = len(answers) - known
            new = f"{asked} new {'answer' if asked == 1 else 'answers'}" if asked else "nothing asked"
            print(paint(sys.stdout).dim(f"\n{file} · {took:.0f} ms · {new} · save it to see more, Ctrl-C to end"))
        sys.stdout.flush()


async def _changes(file: Path) -> AsyncIterator[None]:
    """Now, and whenever the file is another than before and at rest: editors write in pieces, or put another in its place."""
    shown: tuple[int, int] | None = None
    looked: tuple[int, int] | None = None
    while True:
        try:
            there = file.stat()
            now = (there.st_mtime_ns, there.st_size)
        except FileNotFoundError:
            now = shown or (0, 0)
        if now != shown and (now == looked or shown is None):
            shown = now
            yield
        looked = now
        await asyncio.sleep(LOOK_EVERY)


def _show(found: list[StreamPreview], arguments: argparse.Namespace) -> None:
    if arguments.json:
        sys.stdout.write(as_json({"streams": [_data(stream) for stream in found]}))
        return
    brush = paint(sys.stdout)
    width = max(60, min(shutil.get_terminal_size((120, 40)).columns, 160))
    print("\n\n".join("\n".join(_lines(stream, width, brush)) for stream in found))


def _data(stream: StreamPreview) -> dict[str, Any]:
    records = [msgspec.structs.asdict(record) for record in stream.records]
    return {"name": stream.name, "records": records, "filtered": stream.filtered, "total": stream.total}


def _lines(stream: StreamPreview, width: int, brush: Paint) -> list[str]:
    of = f" of {stream.total:,}" if stream.total is not None else ""
    filtered = f", {stream.filtered} filtered out before them" if stream.filtered else ""
    lines = [f"{brush.bold(stream.name)}: {len(stream.records)}{of} records{filtered}; nothing was written"]
    column = (width - 7) // 2
    for number, record in enumerate(stream.records, 1):
        lines += [
            "",
            brush.dim(f"  {f'{number}  source':<{column}}   {'mapped' if record.reason is None else 'rejected'}"),
        ]
        lines += _beside(
            _json_lines(record.source, column), _outcome(record, column), column, record.reason is not None, brush
        )
    return lines


def _outcome(record: PreviewedRecord, column: int) -> list[str]:
    if record.reason is None:
        return _json_lines(record.mapped, column)
    return [f"✗ {record.path}", *(f"  {line}" for line in textwrap.wrap(record.reason, column - 2))]


def _beside(left: list[str], right: list[str], column: int, rejected: bool, brush: Paint) -> list[str]:
    lines = []
    for source, outcome in zip_longest(left, right, fillvalue=""):
        shown = _cut(outcome, column)
        lines.append(f"  {_cut(source, column):<{column}}   {brush.bad(shown) if rejected else shown}".rstrip())
    return lines


def _json_lines(value: Any, column: int) -> list[str]:
    """One line a field, its name in at most half of the column; what is within a field stands on its line."""
    if not isinstance(value, dict):
        return [_json(value)]
    width = min(max((len(str(key)) for key in value), default=0), column // 2)
    lines = [f"{_cut(str(key), width):<{width}}  {_json(inner)}" for key, inner in value.items()]
    return (
        lines
        if len(lines) <= MOST_LINES
        else [*lines[: MOST_LINES - 1], f"… {len(lines) - MOST_LINES + 1} more fields"]
    )


def _json(value: Any) -> str:
    if isinstance(value, str):
        return value
    return encode_json(value).decode()


def _cut(text: str, width: int) -> str:
    shown = printable(redacted_text(text)).replace("\n", "\\n")
    return shown if len(shown) <= width else shown[: width - 1] + "…"
