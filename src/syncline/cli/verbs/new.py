"""`syncline new`: six answers, and what can be found out, become a project."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from syncline.cli.door import as_json
from syncline.cli.paint import paint
from syncline.cli.wizard.asking import Wizard, need_a_terminal
from syncline.cli.wizard.closing import closing, next_steps
from syncline.errors import UsageError
from syncline.generate.code import package_files
from syncline.generate.project import (
    Draft,
    answers_in,
    checked,
    compose,
    learn,
    project_files,
    samples,
    write_files,
)

QUESTIONS = ("source", "destination", "entities", "direction", "auth", "volume", "schedule")


def main(arguments: argparse.Namespace) -> int:
    said = _said(arguments)
    origins = arguments.origins or _listed(said.pop("from", None))
    if arguments.no_input:
        answers = checked(**said)
        if not origins and answers.source is None:
            raise UsageError("which API is the source?", hint="--source NAME, or --from FILE or URL")
        api = asyncio.run(learn(origins, answers.source, answers.auth))
    else:
        need_a_terminal()
        api, said = Wizard(said, origins).ask()
        answers = checked(**said)
    draft = compose(api, answers)
    folder = Path(arguments.dir or draft.integration.name)
    recordings = asyncio.run(samples(draft.integration, draft.entities))
    if arguments.code:
        files = package_files(draft.integration, {one.stream: one for one in recordings})
    else:
        files = project_files(draft.integration, draft.text, recordings)
    kept = write_files(folder, files, force=arguments.force)
    if arguments.json:
        sys.stdout.write(as_json(_data(draft, folder, files, kept)))
        return 0
    print("\n".join(closing(draft, folder, next_steps(draft.integration, folder, files), paint(sys.stdout))))
    if kept:
        print(f"\n  kept: {', '.join(kept)}")
    return 0


def _said(arguments: argparse.Namespace) -> dict[str, Any]:
    """The answers of the file, and over them those of the options."""
    said = answers_in(Path(arguments.answers)) if arguments.answers else {}
    said |= {name: value for name in QUESTIONS if (value := getattr(arguments, name)) is not None}
    params = dict(said.get("params") or {})
    for pair in arguments.param:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--param {pair} has no value", hint="--param NAME=VALUE")
        params[name] = value
    return {**said, "params": params} if params else said


def _listed(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(each) for each in value]


def _data(draft: Draft, folder: Path, files: dict[str, bytes], kept: list[str]) -> dict[str, Any]:
    integration = draft.integration
    return {
        "integration": integration.name,
        "folder": str(folder),
        "files": list(files),
        "kept": kept,
        "streams": [stream.name for stream in integration.streams],
        "unknown": draft.unknown,
        "left_out": draft.left_out,
        "next": [command for command, _ in next_steps(integration, folder, files)],
    }
