"""`syncline check`: every mistake of the files named, each with its place; then, of one file, its production checklist."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.door import as_json
from syncline.cli.files import find_files
from syncline.cli.paint import paint, printable
from syncline.errors import Mistake, SpecError
from syncline.secrets import references
from syncline.spec import load


def main(arguments: argparse.Namespace) -> int:
    files = find_files(arguments.paths)
    results = [_linted(path) for path in files]
    wrong = sum(1 for result in results if not result["ok"])
    lint_only = arguments.lint or len(files) > 1 or Path(arguments.paths[0]).is_dir()
    if not arguments.json:
        _print(results, wrong)
    if wrong or lint_only:
        if arguments.json:
            sys.stdout.write(as_json({"ok": not wrong, "files": results}))
        return 2 if wrong else 0

    from syncline.cli import checklist  # late: looking for mistakes is quick, and needs no simulator

    return checklist.main(arguments, files[0], results)


def _linted(path: Path) -> dict[str, Any]:
    try:
        integration = load(path)
    except SpecError as error:
        what = f"{error.what}; {error.hint}" if error.hint else error.what
        mistakes = error.mistakes or (Mistake(str(path), 0, 0, "", what),)
        return {"file": str(path), "ok": False, "mistakes": [msgspec.structs.asdict(mistake) for mistake in mistakes]}
    needs = sorted({name for _, reference in references(integration) for name in reference.names()})
    streams = [stream.name for stream in integration.streams]
    return {
        "file": str(path),
        "ok": True,
        "mistakes": [],
        "integration": integration.name,
        "streams": streams,
        "needs": needs,
    }


def _print(results: list[dict[str, Any]], wrong: int) -> None:
    brush = paint(sys.stdout)
    for result in results:
        for mistake in result["mistakes"]:
            place, what = printable(str(Mistake(**mistake))).split(": ", 1)
            print(f"{brush.name(place)}: {what}")
        if result["ok"]:
            streams = ", ".join(result["streams"])
            needs = f" · needs {', '.join(result['needs'])}" if result["needs"] else ""
            print(f"{brush.good('✓')} {result['file']}: {result['integration']} ({streams}){brush.dim(needs)}")
    if wrong:
        count = sum(len(result["mistakes"]) for result in results)
        said = f"{count} {'mistake' if count == 1 else 'mistakes'} in {wrong} of {len(results)} files"
        print(brush.bad(said if len(results) > 1 else said.split(" in ", maxsplit=1)[0]))
