"""`syncline rejects`: the records that did not become rows."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.account import own_name
from syncline.cli.door import as_json, redacted_text
from syncline.cli.files import chosen_streams
from syncline.cli.paint import aligned, paint, printable
from syncline.engine import Retried, opened_file_state, retry_rejects
from syncline.errors import UsageError
from syncline.model import MalformedBody, PathError, decode_json, encode_json, parse_path, put_path
from syncline.state import DeadLetter

EVERY_ONE = 1_000_000


def main(arguments: argparse.Namespace) -> int:
    return {"list": _list, "show": _show, "fix": _fix, "retry": _retry, "drop": _drop}[str(arguments.act)](arguments)


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
    ours, file = f"{own_name()} rejects", shlex.quote(arguments.file)
    print(f"\n  {ours} show {file} {letters[0][1].id}   one of them, whole")
    print(f"  {ours} fix {file} {letters[0][1].id} --set PATH=VALUE   mend one")
    print(f"  {ours} retry {file}   after the mapping was mended")
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


def _fix(arguments: argparse.Namespace) -> int:
    changes = [_change(text) for text in arguments.set]
    if bool(changes) == bool(arguments.record):
        raise UsageError("say what is to be mended", hint="--set PATH=VALUE (may be repeated), or --record FILE")
    record = asyncio.run(_fixed(arguments, changes))
    if arguments.json:
        sys.stdout.write(as_json({"id": arguments.id, "record": record}))
        return 0
    print(f"{arguments.id} is mended; it lands with")
    print(f"  syncline rejects retry {arguments.file} --id {arguments.id}")
    return 0


def _change(text: str) -> tuple[str, Any]:
    path, found, value = text.partition("=")
    try:
        parse_path(path if found else "")
    except PathError as error:
        raise UsageError(f"--set {text!r} is not PATH=VALUE", hint="--set customer.email=ada@example.org") from error
    try:
        return path, decode_json(value.encode())
    except MalformedBody:
        return path, value


async def _fixed(arguments: argparse.Namespace, changes: list[tuple[str, Any]]) -> Any:
    async with opened_file_state(Path(arguments.file)) as (_, state):
        letter = await state.dead_letters.get(arguments.id)
        if letter.status != "open":
            raise UsageError(
                f"{arguments.id} is {letter.status} already", hint=f"syncline rejects list {arguments.file}"
            )
        record = _read_record(arguments.record) if arguments.record else letter.record
        for path, value in changes:
            record = put_path(record, path, value)
        await state.dead_letters.amend(arguments.id, record)
        return record


def _read_record(name: str) -> Any:
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return decode_json(text)
    except (OSError, MalformedBody) as error:
        raise UsageError(
            f"no record can be read from {name}", hint="write one JSON document", evidence=str(error)
        ) from error


def _retry(arguments: argparse.Namespace) -> int:
    results = asyncio.run(retry_rejects(arguments.file, streams=arguments.stream, letters=arguments.id))
    if arguments.json:
        sys.stdout.write(as_json({"streams": [msgspec.to_builtins(result) for result in results]}))
    else:
        for result in results:
            _print_retried(result)
    return 5 if any(result.rejected or result.in_doubt for result in results) else 0


def _print_retried(result: Retried) -> None:
    brush = paint(sys.stdout)
    doubts = f", {result.in_doubt} in doubt (syncline outbox list FILE)" if result.in_doubt else ""
    print(f"{brush.bold(result.stream)}: {result.landed} landed, {result.rejected} rejected again{doubts}")


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
