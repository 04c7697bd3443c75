"""`syncline plan`: what a run would ask for and change."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import msgspec

from syncline.cli.door import as_json, redacted_text
from syncline.cli.paint import Paint, paint, printable
from syncline.destinations import Sample
from syncline.engine import Plan, StreamPlan, plan

SHOWN = 5
"""Fields of a sample."""


def main(arguments: argparse.Namespace) -> int:
    found = asyncio.run(plan(arguments.file, streams=arguments.stream, full=arguments.full))
    if arguments.json:
        sys.stdout.write(as_json(_data(found)))
    else:
        print("\n".join(_lines(found, paint(sys.stdout))))
    return found.exit_code


def _data(found: Plan) -> dict[str, Any]:
    streams = [{**msgspec.to_builtins(stream, enc_hook=str), "changes": stream.changes} for stream in found.streams]
    return {
        "integration": found.integration,
        "destination": found.destination,
        "streams": streams,
        "exit_code": found.exit_code,
    }


def _lines(found: Plan, brush: Paint) -> list[str]:
    lines = [f"{brush.bold(found.integration)} into {found.destination}; nothing was written"]
    for stream in found.streams:
        lines += ["", *_stream_lines(stream, brush)]
    lines += ["", "  a run would change something (exit 3)" if found.exit_code else "  nothing to change (exit 0)"]
    return lines


def _sampled(sample: Sample) -> str:
    """`1042: total 9.90 → 12.50 · status open → paid`."""
    key = ", ".join(map(str, sample.key))
    after = sample.after or {}
    if sample.what == "update":
        before = sample.before or {}
        fields = [f"{name} {_short(before.get(name))} → {_short(value)}" for name, value in after.items()]
    else:
        fields = [f"{name} {_short(value)}" for name, value in after.items() if value is not None]
    return f"{key}: {' · '.join(fields[:SHOWN])}" if fields else key


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 24 else text[:23] + "…"


def _stream_lines(stream: StreamPlan, brush: Paint) -> list[str]:
    trial = stream.trial
    start = f" from {stream.cursor}" if stream.cursor and stream.sync_mode == "incremental" else ""
    going_on = ", going on where the last run stopped" if stream.resumes else ""
    total = f"{stream.total:,} records" if stream.total is not None else "the API does not say how many records"
    fields = [
        ("mode", f"{stream.sync_mode}{start}{going_on}"),
        ("asks", f"{stream.request}: {total}"),
        (
            "rows",
            f"of the first {stream.sampled:,}: {trial.inserts:,} new · {trial.updates:,} changed · {trial.deletes:,} deleted"
            f" · {trial.unchanged:,} unchanged · {stream.rejected:,} rejected · {stream.filtered:,} filtered",
        ),
        *(("schema", statement) for statement in trial.statements),
        *((sample.what, _sampled(sample)) for sample in trial.samples),
        *(("sends", request) for request in trial.requests),
    ]
    if stream.deletes_missing:
        fields.append(("deletes", "at its end, rows that a complete pass did not list"))
    lines = [f"  {brush.bold(stream.name)}"]
    lines += [f"    {brush.dim(f'{label:<7}')}{printable(redacted_text(text))}" for label, text in fields]
    return lines
