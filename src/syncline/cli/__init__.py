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
    import gc
    from importlib import import_module

    # the process is this verb's own, and what is imported and read are trees, in which looking for rings finds nothing
    gc.set_threshold(100_000, 50, 100)
    from syncline.cli.words import parse

    verb, arguments = parse(words)
    _prepare()
    return int(import_module(f"syncline.cli.verbs.{verb.name}").main(arguments))


def _prepare() -> None:
    """What every verb's process wants, before the verb is imported."""
    import atexit
    import gc
    import os
    import typing
    from importlib import import_module
    from types import ModuleType

    atexit.register(gc.freeze)  # what the process leaves behind is freed as it is: there are no rings in it either
    # plugins of pydantic that other packages brought have nothing to do with our models. The module that looks for them
    # imports all that it takes to read packages, and only then asks whether it is to look
    if os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__") == "__all__":
        idle = ModuleType("pydantic.plugin._loader")
        vars(idle)["get_plugins"] = lambda: ()
        sys.modules.setdefault(idle.__name__, idle)
    # annotations written as text are compiled at once, by pydantic alone seven hundred, which nobody ever evaluates; left as
    # the text that they are, they are compiled by whoever evaluates one
    vars(typing)["compile"] = lambda text, *_: text
    try:
        # from up here: imported deep within other imports, pydantic has Python take and give back a piece of its stack a
        # thousand times
        import_module("syncline.model")
    finally:
        del vars(typing)["compile"]
