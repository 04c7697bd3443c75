"""`syncline preview`: records as they come beside the rows they become."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from itertools import zip_longest
from typing import Any

import msgspec

from syncline.cli.door import as_json, redacted_text
from syncline.cli.paint import Paint, paint, printable
from syncline.engine import PreviewedRecord, StreamPreview, preview
from syncline.model import encode_json

MOST_LINES = 30


def main(arguments: argparse.Namespace) -> int:
    found = asyncio.run(preview(arguments.file, streams=arguments.stream, records=arguments.records))
    if arguments.json:
        sys.stdout.write(as_json({"streams": [_data(stream) for stream in found]}))
        return 0
    brush = paint(sys.stdout)
    width = max(60, min(shutil.get_terminal_size((120, 40)).columns, 160))
    print("\n\n".join("\n".join(_lines(stream, width, brush)) for stream in found))
    return 0


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
        lines += _beside(_json_lines(record.source), _outcome(record), column, record.reason is not None, brush)
    return lines


def _outcome(record: PreviewedRecord) -> list[str]:
    if record.reason is None:
        return _json_lines(record.mapped)
    return [f"✗ {record.path}", f"  {record.reason}"]


def _beside(left: list[str], right: list[str], column: int, rejected: bool, brush: Paint) -> list[str]:
    lines = []
    for source, outcome in zip_longest(left, right, fillvalue=""):
        shown = _cut(outcome, column)
        lines.append(f"  {_cut(source, column):<{column}}   {brush.bad(shown) if rejected else shown}".rstrip())
    return lines


def _json_lines(value: Any) -> list[str]:
    """One line a field; what is within a field stands on its line."""
    if not isinstance(value, dict):
        return [_json(value)]
    width = max((len(str(key)) for key in value), default=0)
    lines = [f"{key:<{width}}  {_json(inner)}" for key, inner in value.items()]
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
