"""Where everything that went wrong leaves: one block or one JSON object, without secrets, and the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import msgspec

from syncline.cli.paint import paint, printable
from syncline.errors import SynclineError


class BugError(SynclineError):
    """Something that should not have been able to happen."""

    code = "bug"


class InterruptedRun(SynclineError):
    code = "interrupted"
    exit_code = 130


def tell(problem: BaseException, *, json: bool, debug: bool) -> int:
    """Say what happened and return the exit code. Only programs read stdout, so with `json` the error goes there."""
    if isinstance(problem, BrokenPipeError):
        _let_go(sys.stdout)
        return 1
    error = redacted_error(_as_error(problem))
    if debug:
        sys.stderr.write(redacted_text("".join(traceback.format_exception(problem))))
    if json:
        sys.stdout.write(as_json({"error": error.to_data(), "exit_code": error.exit_code}))
        sys.stdout.flush()
    else:
        sys.stderr.write(block(error, colour=paint(sys.stderr).on) + "\n")
    return error.exit_code


@contextmanager
def while_it_is_read(stream: TextIO) -> Iterator[None]:
    """Write to a stream that the work does not depend on: where its reader has left, or its disk is full, nothing is said."""
    try:
        yield
    except BrokenPipeError:
        _let_go(stream)
    except OSError:
        pass


def _let_go(stream: TextIO) -> None:
    """Whoever read it has left; nothing more can be said there, not even by the interpreter at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def block(error: SynclineError, *, colour: bool = False) -> str:
    """The error for people, at most twelve lines, nothing in it that moves a terminal's cursor."""
    brush = paint(on=colour)
    first, *rest = (printable(line) for line in error.block().splitlines())
    code, colon, what = first.partition(":")
    lines = [f"{brush.bad(code + colon)}{brush.bold(what)}"]
    for line in rest:
        label = line[:8]
        lines.append(f"{brush.dim(label)}{line[8:]}" if label.strip() in ("where", "seen", "cause", "fix") else line)
    return "\n".join(lines)


def as_json(data: object) -> str:
    """One line of JSON, redacted: results for programs."""
    encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
    return encoder.encode(redacted_data(data)).decode() + "\n"


def redacted_text(text: str) -> str:
    secrets = sys.modules.get("syncline.secrets")  # not imported: nothing was resolved, nothing can leak
    return str(secrets.redactor.text(text)) if secrets else text


def redacted_data(data: object) -> object:
    secrets = sys.modules.get("syncline.secrets")
    return secrets.redactor.data(data) if secrets else data


def redacted_error(error: SynclineError) -> SynclineError:
    secrets = sys.modules.get("syncline.secrets")
    return secrets.redactor.error(error) if secrets else error


def _as_error(problem: BaseException) -> SynclineError:
    if isinstance(problem, SynclineError):
        return problem
    if isinstance(problem, KeyboardInterrupt) or type(problem).__name__ == "CancelledError":
        return InterruptedRun("stopped before the end", hint="run it again; it goes on from the last checkpoint")
    frames = traceback.extract_tb(problem.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else None
    return BugError(
        f"{type(problem).__name__}: {problem}",
        cause="a mistake in Syncline, not in your file",
        hint="run it again with --debug and report what it prints, with the file that shows it",
        at=place,
    )
