"""`syncline outbox`: what was sent to another API, and nobody knows whether it arrived."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.door import as_json, redacted_text
from syncline.cli.files import chosen_streams
from syncline.cli.paint import aligned, paint, printable
from syncline.engine import opened_file_state
from syncline.engine.outbox import (
    Resent,
    confirm_effects,
    drop_effects,
    forget_sent,
    in_doubt,
    move_links,
    retry_effects,
)
from syncline.model import decode_json
from syncline.spec import Stream
from syncline.state import Effect

SHOWN = 8
"""Letters of an id that people are shown."""


def main(arguments: argparse.Namespace) -> int:
    acts = {"list": _list, "show": _show, "confirm": _settle, "retry": _retry, "drop": _settle}
    acts |= {"refresh": _refresh, "moved": _moved}
    return acts[str(arguments.act)](arguments)


def _list(arguments: argparse.Namespace) -> int:
    found = asyncio.run(_found(arguments, None))
    shown = found[: arguments.records]
    if arguments.json:
        sys.stdout.write(
            as_json({"in_doubt": [_data(stream, effect) for stream, effect in shown], "count": len(found)})
        )
        return 0
    if not found:
        print("nothing is in doubt")
        return 0
    rows = [["id", "stream", "key", "request", "since", "reason"]]
    for stream, effect in shown:
        since = f"{effect.created:%Y-%m-%d %H:%M}"
        rows.append([effect.id[:SHOWN], stream.name, _key(effect), effect.request, since, effect.reason or ""])
    print("\n".join(aligned(rows, brush=paint(sys.stdout))))
    if len(found) > len(shown):
        print(f"  … and {len(found) - len(shown):,} more: -n {len(found)}")
    first = shown[0][1].id[:SHOWN]
    print(f"\n  syncline outbox show {arguments.file} {first}   what was sent; see whether the API has it")
    print(f"  syncline outbox confirm {arguments.file} --id {first}   it has")
    print(f"  syncline outbox retry {arguments.file} --id {first}   it has not: send it again")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    ((stream, effect),) = asyncio.run(_found(arguments, [arguments.id]))
    if arguments.json:
        sys.stdout.write(as_json(_data(stream, effect)))
        return 0
    brush = paint(sys.stdout)
    print(f"{brush.bold(effect.id)}  {stream.name}  {effect.operation} of {_key(effect)}, {effect.outcome}")
    print(f"  {printable(effect.request)} at {effect.created:%Y-%m-%d %H:%M:%S}: {printable(effect.reason or '')}")
    if effect.idempotency_key:
        print(f"  {printable(effect.idempotency_key)} was its idempotency key")
    text = msgspec.json.format(effect.content, indent=2)
    print("\n".join(f"  {printable(redacted_text(line))}" for line in text.splitlines()))
    return 0


def _settle(arguments: argparse.Namespace) -> int:
    """Confirm or drop."""
    settled = asyncio.run(_settled(arguments))
    if arguments.json:
        sys.stdout.write(as_json({arguments.act: settled}))
    else:
        print(f"{len(settled)} {'confirmed' if arguments.act == 'confirm' else 'given up'}")
    return 0


async def _settled(arguments: argparse.Namespace) -> list[str]:
    async with opened_file_state(Path(arguments.file)) as (integration, state):
        chosen = await in_doubt(integration, state, chosen_streams(integration, arguments.stream), arguments.id)
        if arguments.act == "drop":
            await drop_effects(integration, state, chosen)
        else:
            await confirm_effects(integration, state, chosen, _remote_id(arguments.remote_id))
        return [effect.id for _, effect in chosen]


def _remote_id(text: str | None) -> str | int | None:
    """A number stays one: APIs tell 17 from "17"."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and str(int(text)) == text else text


def _retry(arguments: argparse.Namespace) -> int:
    results = asyncio.run(retry_effects(arguments.file, streams=arguments.stream, ids=arguments.id))
    if arguments.json:
        sys.stdout.write(as_json({"streams": [msgspec.to_builtins(result) for result in results]}))
    elif not results:
        print("nothing is in doubt")
    else:
        for result in results:
            _print_resent(result)
    return 5 if any(result.rejected or result.in_doubt for result in results) else 0


def _print_resent(result: Resent) -> None:
    name = paint(sys.stdout).bold(result.stream)
    print(f"{name}: {result.confirmed} confirmed, {result.rejected} rejected, {result.in_doubt} still in doubt")


def _refresh(arguments: argparse.Namespace) -> int:
    counts = asyncio.run(_refreshed(arguments))
    if arguments.json:
        sys.stdout.write(as_json({"links": counts}))
    else:
        for stream, count in counts.items():
            print(f"{paint(sys.stdout).bold(stream)}: {count:,} records are sent again when they are met")
        print(f"  syncline run {arguments.file} --full   meets all of them")
    return 0


async def _refreshed(arguments: argparse.Namespace) -> dict[str, int]:
    async with opened_file_state(Path(arguments.file)) as (integration, state):
        return await forget_sent(integration, state, chosen_streams(integration, arguments.stream))


def _moved(arguments: argparse.Namespace) -> int:
    streams = asyncio.run(move_links(arguments.file, streams=arguments.stream))
    if arguments.json:
        sys.stdout.write(as_json({"streams": streams}))
    else:
        print(f"{', '.join(streams)}: the ids are those of base_url from now on")
    return 0


async def _found(arguments: argparse.Namespace, ids: list[str] | None) -> list[tuple[Stream, Effect]]:
    async with opened_file_state(Path(arguments.file)) as (integration, state):
        streams = chosen_streams(integration, getattr(arguments, "stream", None))
        return await in_doubt(integration, state, streams, ids)


def _key(effect: Effect) -> str:
    return effect.source_key[1:-1] if effect.source_key else "-"


def _data(stream: Stream, effect: Effect) -> dict[str, Any]:
    return {**msgspec.structs.asdict(effect), "stream": stream.name, "content": decode_json(effect.content)}
