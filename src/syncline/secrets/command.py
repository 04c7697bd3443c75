"""`${cmd:pass show shop/token}`: what a program prints.

The command line is the file's own text: it is read from a reference as it stands there, split into words without a shell, and
nothing is put into it. Values, records and answers never become references, so they never become commands.
"""

from __future__ import annotations

import shlex
import subprocess

from syncline.secrets.managers import MAX_BYTES, Missing, Steps, Surroundings, one_value

TIME_LIMIT = 30.0
"""Seconds; long enough for a person to touch a key."""


def read(line: str, around: Surroundings) -> Steps:
    """The program's output. It starts in the file's folder; its error output is not shown, as it may hold the secret."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Missing(f"${{cmd:{line}}} cannot be split into words: {error}", "close the quotes") from None
    if not words:
        raise Missing("${cmd:} names no command", "write the command line: ${cmd:pass show shop/token}")

    def run() -> bytes:
        try:
            done = subprocess.run(
                words,
                cwd=around.folder,
                env=dict(around.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=TIME_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Missing(f"{words[0]!r} took longer than {TIME_LIMIT:g} s", by_hand) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a command"
            raise Missing(f"{words[0]!r} cannot be started: {reason}", "install it, or write its full path") from None
        if done.returncode:
            raise Missing(f"{words[0]!r} ended with exit code {done.returncode}", by_hand)
        return done.stdout[: MAX_BYTES + 1]

    by_hand = f"try it by hand in {around.folder}: {shlex.join(words)}"
    return one_value((yield run), f"the output of {words[0]!r}", by_hand)
