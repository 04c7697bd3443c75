"""The command line: words in, exit codes out. Importing this imports nothing else, so that `--help` is quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from syncline import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code; the process's own words where none are given."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except SystemExit as leaving:  # argparse, after it has printed a verb's help
        return leaving.code if isinstance(leaving.code, int) else 1
    except BaseException as problem:
        from syncline.cli.door import tell  # late, like all here: each way pays for its own imports alone

        return tell(problem, json="--json" in words, debug="--debug" in words)


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        from syncline.cli.table import overview

        print(overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"syncline {__version__}")
        return 0
    import atexit
    import gc
    import os
    from importlib import import_module

    from syncline.cli.words import parse

    verb, arguments = parse(words)
    # the process is this verb's own: what is imported and read are trees, in which looking for rings finds nothing, and plugins
    # of pydantic that other packages brought, for which all that is installed is read, have nothing to do with our models
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)  # nor in what the process leaves behind, which is freed as it is
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    return int(import_module(f"syncline.cli.verbs.{verb.name}").main(arguments))
