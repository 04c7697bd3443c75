"""`syncline doc`: the integration's document."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from syncline.cli.door import as_json
from syncline.errors import UsageError
from syncline.generate.document import document
from syncline.spec import load


def main(arguments: argparse.Namespace) -> int:
    text = document(load(arguments.file), Path(arguments.file).name)
    if arguments.output is None:
        sys.stdout.write(as_json({"document": text}) if arguments.json else text)
        return 0
    path = Path(arguments.output)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="syncline doc FILE > PATH") from None
    sys.stdout.write(as_json({"written": str(path)}) if arguments.json else f"{path} is written\n")
    return 0
