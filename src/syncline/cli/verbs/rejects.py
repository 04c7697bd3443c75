"""`syncline rejects`: the records that did not become rows."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.door import as_json, redacted_text
from syncline.cli.files import chosen_streams, opened_file_state
from syncline.cli.paint import aligned, paint, printable
from syncline.engine import Retried, retry_rejects
from syncline.errors import UsageError
from syncline.model import encode_json
from syncline.state import DeadLetter

EVERY_ONE = 1_000_000


def main(arguments: argparse.Namespace) -> int:
    return {"list": _list, "show": _show, "retry": _retry, "drop": _drop}[str(arguments.act)](arguments)


def _list(arguments: argparse.Namespace) -> int:
    letters = asyncio.run(_letters(arguments, None if arguments.all else "open", arguments.records))
    if arguments.json:
        sys.stdout.write(as_json({"rejects": [_data(stream, letter) for stream, letter in letters]}))
        return 0
    if not letters:
        print("nothing was rejected")
        return 0
    rows = [["id", "stream", "path", "reason", "record"]]
    for stream, letter in letters:
        rows.append([str(letter.id), stream, letter.path, letter.reason, _short(letter.record)])
    print("\n".join(aligned(rows, right=frozenset((0,)), brush=paint(sys.stdout))))
    print(f"\n  syncline rejects show {arguments.file} {letters[0][1].id}   one of them, whole")
    print(f"  syncline rejects retry {arguments.file}   after the mapping was mended")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    letter = asyncio.run(_one(arguments))
    if arguments.json:
        sys.stdout.write(as_json(_data(letter.key, letter)))
        return 0
    brush = paint(sys.stdout)
    since = f"since {letter.created:%Y-%m-%d %H:%M:%S}"
    print(f"{brush.bold(str(letter.id))}  {letter.key}  {letter.status}, {letter.attempts} retries, {since}")
    print(f"  {printable(f'{letter.path}: {letter.reason}')}")
    text = msgspec.json.format(encode_json(letter.record).decode(), indent=2)
    print("\n".join(f"  {printable(redacted_text(line))}" for line in text.splitlines()))
    return 0


def _retry(arguments: argparse.Namespace) -> int:
    results = asyncio.run(retry_rejects(arguments.file, streams=arguments.stream, letters=arguments.id))
    if arguments.json:
        sys.stdout.write(as_json({"streams": [msgspec.to_builtins(result) for result in results]}))
    else:
        for result in results:
            _print_retried(result)
    return 5 if any(result.rejected for result in results) else 0


def _print_retried(result: Retried) -> None:
    brush = paint(sys.stdout)
    print(f"{brush.bold(result.stream)}: {result.landed} landed, {result.rejected} rejected again")


def _drop(arguments: argparse.Namespace) -> int:
    dropped = asyncio.run(_dropped(arguments))
    if arguments.json:
        sys.stdout.write(as_json({"dropped": dropped}))
    else:
        print(f"{len(dropped)} given up; --all still lists them")
    return 0


async def _letters(arguments: argparse.Namespace, status: Any, most: int) -> list[tuple[str, DeadLetter]]:
    async with opened_file_state(Path(arguments.file)) as (integration, state):
        found = []
        for stream in chosen_streams(integration, arguments.stream):
            letters = await state.dead_letters.list(integration.state_key(stream), status, limit=most)
            found += [(stream.name, letter) for letter in letters]
        return found[:most]


async def _one(arguments: argparse.Namespace) -> DeadLetter:
    async with opened_file_state(Path(arguments.file)) as (_, state):
        return await state.dead_letters.get(arguments.id)


async def _dropped(arguments: argparse.Namespace) -> list[int]:
    async with opened_file_state(Path(arguments.file)) as (integration, state):
        known: list[int] = []
        for stream in chosen_streams(integration, arguments.stream):
            letters = await state.dead_letters.list(integration.state_key(stream), "open", limit=EVERY_ONE)
            known += [letter.id for letter in letters]
        if strange := [number for number in arguments.id or () if number not in known]:
            raise UsageError(f"there is no open reject {strange[0]}", hint=f"syncline rejects list {arguments.file}")
        dropped = arguments.id or known
        await state.dead_letters.mark(dropped, "dropped")
        return dropped


def _data(stream: str, letter: DeadLetter) -> dict[str, Any]:
    return {**msgspec.structs.asdict(letter), "stream": stream}


def _short(record: Any) -> str:
    text = redacted_text(encode_json(record).decode())
    return text if len(text) <= 60 else text[:59] + "…"
