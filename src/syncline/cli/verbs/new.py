"""`syncline new`: six answers, and what can be found out, become a project."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from syncline.cli.credentials import auth_answer, credentials_of
from syncline.cli.door import as_json
from syncline.cli.paint import paint
from syncline.cli.wizard.asking import Wizard, need_a_terminal
from syncline.cli.wizard.closing import closing, next_steps
from syncline.errors import SynclineError, UsageError
from syncline.generate.code import package_files
from syncline.generate.project import (
    Draft,
    answers_in,
    checked,
    compose,
    learn,
    project_files,
    samples,
    surroundings,
    write_files,
)
from syncline.recordings import Recording, record, replay

QUESTIONS = ("source", "destination", "entities", "direction", "auth", "volume", "schedule")


def main(arguments: argparse.Namespace) -> int:
    said = _said(arguments)
    origins = arguments.origins or _listed(said.pop("from", None))
    if arguments.no_input:
        answers = checked(**said)
        if not origins and answers.source is None:
            raise UsageError("which API is the source?", hint="--source NAME, or --from FILE or URL")
        learned = asyncio.run(learn(origins, answers))
        if learned.trouble is not None and not learned.api.entities and not answers.entities:
            raise learned.trouble
    else:
        need_a_terminal()
        learned, said = Wizard(said, origins).ask()
        answers = checked(**said)
    draft = compose(learned.api, answers)
    if learned.trouble is not None:
        draft.unknown.insert(0, f"what the API itself shows: {learned.trouble.what}")
    folder = Path(arguments.dir or draft.integration.name)
    recordings = asyncio.run(_recordings(draft, live=learned.live))
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


async def _recordings(draft: Draft, *, live: bool) -> list[Recording]:
    """Answers for every stream: real ones where the API gives them, made up from what is known of it where it does not."""
    made = {one.stream: one for one in await samples(draft.integration, draft.entities)}
    if live:
        with tempfile.TemporaryDirectory(prefix="syncline-new-") as folder:
            file = Path(folder) / f"{draft.integration.name}.yaml"
            file.write_text(draft.text, encoding="utf-8")
            try:
                real = await record(file, environment=surroundings())
            except SynclineError:
                real = []  # made-up ones do for now, and syncline test FILE --record tells what is wrong
        for _, recording in real:
            done = await replay(draft.integration, recording)
            if done.error is None:
                recording.expect = done.outcome
                made[recording.stream] = recording
    return list(made.values())


def _said(arguments: argparse.Namespace) -> dict[str, Any]:
    """The answers of the file, and over them those of the options."""
    said = answers_in(Path(arguments.answers)) if arguments.answers else {}
    said |= {name: value for name in QUESTIONS if (value := getattr(arguments, name)) is not None}
    if isinstance(said.get("auth"), str):
        said["auth"] = auth_answer(said["auth"])
    written = said.get("headers") or {}
    headers = [*(f"{name}: {value}" for name, value in dict(written).items()), *arguments.header]
    if headers:
        said["headers"] = {name: str(value) for name, value in credentials_of(None, headers).headers.items()}
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
