"""`syncline test`: recorded answers played again, offline, and compared with what is expected."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from syncline.cli.door import as_json, redacted_text
from syncline.cli.files import find_files
from syncline.cli.paint import Paint, paint, printable
from syncline.errors import UsageError
from syncline.recordings import Replayed, read_recordings, record, replay
from syncline.spec import load

PASSED, DIFFERENT = 0, 1


def main(arguments: argparse.Namespace) -> int:
    files = [path for path in find_files(arguments.paths) if "recordings" not in path.parts]
    return asyncio.run(_all(files, arguments))


async def _all(files: list[Path], arguments: argparse.Namespace) -> int:
    brush = paint(None if arguments.json else sys.stdout)
    told: list[dict[str, Any]] = []
    for file in files:
        if arguments.record:
            await _record(file, arguments, brush)
        integration = load(file)
        for path, recording in read_recordings(file, integration):
            if arguments.stream and recording.stream not in arguments.stream:
                continue
            done = await replay(integration, recording)
            kept = done.error is None and (arguments.update or recording.expect is None)
            if kept:
                recording.expect, done.differences = done.outcome, []
                path.write_bytes(recording.dumped())
            told.append(_data(file, done, kept))
            if not arguments.json:
                print("\n".join(_lines(file, done, kept, brush)))
    failed = sum(not one["passed"] for one in told)
    if arguments.json:
        sys.stdout.write(as_json({"passed": not failed, "recordings": told}))
    elif failed:
        print(f"\n{brush.bad(f'{failed} of {len(told)} failed')}; where it is meant so: syncline test FILE --update")
    return DIFFERENT if failed else PASSED


async def _record(file: Path, arguments: argparse.Namespace, brush: Paint) -> None:
    made = await record(file, streams=arguments.stream, records=arguments.records, pages=arguments.pages)
    for path, recording in made:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(recording.dumped())
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        if not arguments.json:
            answers = len(recording.exchanges)
            print(
                f"{brush.name('●')} {path}: {answers} {'answer' if answers == 1 else 'answers'} kept, without secrets"
            )


def _data(file: Path, done: Replayed, kept: bool) -> dict[str, Any]:
    return {
        "file": str(file),
        "stream": done.stream,
        "passed": done.passed,
        "pages": done.pages,
        "account": done.outcome.account,
        "differences": done.differences,
        "error": None if done.error is None else done.error.to_data(),
        "expectation_written": kept,
    }


def _lines(file: Path, done: Replayed, kept: bool, brush: Paint) -> list[str]:
    name = f"{brush.bold(done.stream)} {brush.dim(str(file))}"
    if done.error is not None:
        lines = [f"{brush.bad('✗')} {name}", f"    {printable(redacted_text(done.error.what))}"]
        return [*lines, f"    {brush.dim('fix')} {done.error.hint}"] if done.error.hint else lines
    account = ", ".join(f"{count} {what}" for what, count in done.outcome.account.items())
    if done.differences:
        shown = [f"    {printable(redacted_text(difference))}" for difference in done.differences]
        return [f"{brush.bad('✗')} {name}", *shown]
    word = brush.dim(" · expectation written, please read it") if kept else ""
    return [f"{brush.good('✓')} {name}  {account}{word}"]
