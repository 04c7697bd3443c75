"""`syncline schema`: the JSON Schema of integration files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from syncline.cli.door import as_json
from syncline.errors import UsageError
from syncline.spec import json_schema


def main(arguments: argparse.Namespace) -> int:
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    path = Path(arguments.output)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="syncline schema > FILE") from None
    if arguments.json:
        sys.stdout.write(as_json({"written": str(path)}))
    else:
        print(f"{path} is written; the first line of a file names it: # yaml-language-server: $schema=./{path.name}")
    return 0
