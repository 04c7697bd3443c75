"""`syncline state`: show, reset or rewind how far streams are."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from syncline.cli.door import as_json
from syncline.cli.files import chosen_streams
from syncline.cli.paint import paint, printable
from syncline.cli.verbs.status import stream_status
from syncline.engine import opened_file_state
from syncline.errors import UsageError
from syncline.model import Clock, SystemClock


def main(arguments: argparse.Namespace) -> int:
    streams = asyncio.run(_act(arguments, SystemClock()))
    if arguments.json:
        sys.stdout.write(as_json({"act": arguments.act, "streams": streams}))
    else:
        _print(arguments, streams)
    return 0


async def _act(arguments: argparse.Namespace, clock: Clock) -> list[dict[str, Any]]:
    async with opened_file_state(Path(arguments.file)) as (integration, state):
        streams = chosen_streams(integration, arguments.stream)
        if arguments.act == "rewind" and len(streams) > 1:
            names = ", ".join(stream.name for stream in streams)
            raise UsageError("a cursor belongs to one stream", hint=f"add --stream, one of: {names}")
        for stream in streams:
            key = integration.state_key(stream)
            if arguments.act == "reset":
                await state.reset(key, clock.now())
            elif arguments.act == "rewind":
                await state.rewind(key, arguments.to, clock.now())
        return [await stream_status(integration, stream, state) for stream in streams]


def _print(arguments: argparse.Namespace, streams: list[dict[str, Any]]) -> None:
    brush = paint(sys.stdout)
    for stream in streams:
        name = brush.bold(stream["stream"])
        if arguments.act == "reset":
            print(f"{name}: forgotten; the next run reads everything (rows that are there stay)")
        elif arguments.act == "rewind":
            print(f"{name}: the next run starts at {printable(str(stream['cursor']))}")
        else:
            print(name)
            for field, value in stream.items():
                if field != "stream" and value is not None:
                    print(f"  {brush.dim(f'{field:<14}')}{printable(str(value))}")
