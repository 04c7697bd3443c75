"""What file systems and object stores report, in our words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from syncline.errors import WriteError
from syncline.secrets import redactor

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_REFUSED = ("AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "credentials")
_MISSING = ("NoSuchBucket", "bucket does not exist", "ContainerNotFound")
MAX_EVIDENCE = 300


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn the file system's errors into WriteError. `place` is what people may see of where it happened."""
    try:
        yield
    except OSError as problem:
        raise explain(problem, place) from problem


def explain(problem: BaseException, place: str) -> WriteError:
    """One error of a local disk; also DuckDB's, which tells the number within its text."""
    number = getattr(problem, "errno", None)
    text = str(problem)
    if number in _FULL or "No space left on device" in text or "Disk quota exceeded" in text:
        what, hint = f"no room left for {place}", "free disk space and run again; nothing is lost, the run resumes"
    elif number in _FORBIDDEN:
        what, hint = f"{place} cannot be written", "give this user the right to write there"
    elif number == errno.ENAMETOOLONG:
        what, hint = f"the name of {place} is too long for this file system", "shorten the path of the destination"
    elif number == errno.EMFILE:
        what, hint = "too many files are open in this process", "raise the limit: ulimit -n 4096"
    else:
        what, hint = f"writing {place} failed", "check the disk (dmesg, df) and the folder, then run again: it resumes"
    return WriteError(what, hint=hint, evidence=shown_text(problem))


@contextmanager
def reaching(place: str) -> Iterator[None]:
    """Turn whatever a store's library raises into WriteError."""
    try:
        yield
    except WriteError:
        raise
    except Exception as problem:
        raise explain_remote(problem, place) from None  # what hangs on the cause may hold credentials


def explain_remote(problem: Exception, place: str) -> WriteError:
    text = f"{type(problem).__name__}: {problem}"
    hint = "run again: what is complete is published then, and the rest resumes"
    if isinstance(problem, PermissionError) or any(word in text for word in _REFUSED):
        hint = "look at the credentials under `storage:`, and whether they may list, read, write and delete there"
    elif any(word in text for word in _MISSING):
        hint = "create the bucket, or correct the destination's path"
    return WriteError(f"{place} cannot be written", hint=hint, evidence=shown_text(problem))


def shown_text(problem: BaseException) -> str:
    text = redactor.text(" ".join(f"{type(problem).__name__}: {problem}".split()))
    return text if len(text) <= MAX_EVIDENCE else text[: MAX_EVIDENCE - 1] + "…"
