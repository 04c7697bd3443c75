"""`syncline export`: the integration as a small Python package, to own and to change."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from syncline.cli.door import as_json
from syncline.cli.paint import paint
from syncline.errors import UsageError
from syncline.generate.code import package_files
from syncline.generate.project import write_files
from syncline.recordings import Recording, read_recordings
from syncline.spec import load


def main(arguments: argparse.Namespace) -> int:
    file = Path(arguments.file)
    integration = load(file)
    folder = Path(arguments.output)
    files = package_files(integration, recordings_of(file))
    kept = write_files(folder, files, force=arguments.force)
    if arguments.json:
        data = {"integration": integration.name, "folder": str(folder), "files": list(files), "kept": kept}
        sys.stdout.write(as_json(data))
        return 0
    brush = paint(sys.stdout)
    print(f"{brush.good('✓')} {brush.bold(integration.name)} is a Python package in {folder}: {len(files)} files")
    print(f"  {brush.dim('next')}   cd {folder}, cp .env.example .env, pytest; its README says more")
    if kept:
        print(f"  {brush.dim('kept')}   {', '.join(kept)}")
    return 0


def recordings_of(file: Path) -> dict[str, Recording]:
    """The recordings beside the file, if there are any."""
    try:
        return {recording.stream: recording for _, recording in read_recordings(file, load(file))}
    except UsageError:
        return {}
