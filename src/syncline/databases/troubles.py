"""What SQLAlchemy's errors mean, whichever driver they come from, told without anything secret."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, StatementError

from syncline.databases.database import Trouble
from syncline.databases.ways import ways_of
from syncline.errors import SynclineError
from syncline.model import Secret

AWAY = ("08", "57P01", "57P02", "57P03", "53300")
CONTENDED = ("40001", "40P01", "55P03")
FULL = ("53100", "53200")
DENIED = ("28", "42501")
"""SQLSTATE classes and codes that mean the same in every database that has them."""
PYTHON = (ValueError, TypeError, OverflowError)
SECRET = re.compile(r"pass|pwd|token|secret|key|connect", re.I)


class Said:
    """Reads what the driver of one address says."""

    def __init__(self, url: Secret, shown: str, dialect: Dialect) -> None:
        self.shown, self._name, self._ways = shown, dialect.name, ways_of(dialect)
        self._secrets = _secrets_of(url.reveal())

    def trouble(self, problem: BaseException) -> Trouble:
        state, number, name = _codes(problem)
        if state in CONTENDED or number in self._ways.contended or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return "contended"
        if state in FULL or number in self._ways.full or name.startswith("SQLITE_FULL"):
            return "full"
        if self._denied(state, number):
            return "other"
        if getattr(problem, "connection_invalidated", False) or state.startswith(AWAY) or _connecting(problem):
            return "away"
        if isinstance(problem, IntegrityError | DataError | InterfaceError) or isinstance(_cause(problem), PYTHON):
            return "refused"
        if state[:2] in ("22", "23") or number in self._ways.refused or name in ("SQLITE_MISMATCH", "SQLITE_TOOBIG"):
            return "refused"
        return "other"

    def explain(self, problem: BaseException, error: type[SynclineError]) -> SynclineError:
        state, number, _ = _codes(problem)
        trouble = self.trouble(problem)
        if trouble == "full":
            what = f"no room left in {self.shown}"
            hint = "free space there and run again; nothing is lost, the run resumes"
        elif self._denied(state, number):
            what = f"{self.shown} does not let this user do that"
            hint = "check user, password and rights"
        elif trouble == "away":
            what = f"{self.shown} cannot be reached"
            hint = "check that it runs and that the url's host, port and name are right"
        elif trouble == "contended":
            what = f"{self.shown} is held by another transaction"
            hint = "run again when that has ended; nothing is lost"
        else:
            what = f"{self._name} refused a statement on {self.shown}"
            hint = "the transaction was rolled back; see what it said"
        return error(what, hint=hint, evidence=self.said(problem))

    def _denied(self, state: str, number: int) -> bool:
        return state.startswith(DENIED) or number in self._ways.denied

    def said(self, problem: BaseException) -> str:
        """The driver's words on one line, without its secrets."""
        cause = _cause(problem)
        text = " ".join(str(cause).split()) or type(cause).__name__
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:500]


def _connecting(problem: BaseException) -> bool:
    """Whether no statement was under way: it could not connect, or could not commit."""
    return isinstance(problem, OperationalError | InterfaceError) and problem.statement is None


def _cause(problem: BaseException) -> BaseException:
    found = getattr(problem, "orig", None) if isinstance(problem, StatementError | DBAPIError) else None
    return found if isinstance(found, BaseException) else problem


def _codes(problem: BaseException) -> tuple[str, int, str]:
    """SQLSTATE, error number and SQLite's name of an error, as far as it has them."""
    cause = _cause(problem)
    said = " ".join(str(argument) for argument in cause.args[:2])
    state: Any = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if not isinstance(state, str):
        state = next((argument for argument in cause.args if isinstance(argument, str) and len(argument) == 5), "")
    number = next((argument for argument in cause.args if isinstance(argument, int)), 0)
    if not number and (found := re.search(r"\bORA-(\d+)|\((\d{3,5})\)", said)):
        number = int(found[1] or found[2])
    return state, number, getattr(cause, "sqlite_errorname", "") or ""


def _secrets_of(url: str) -> list[str]:
    """What of an address must not be shown: its password, and what its options hide."""
    before, _, options = url.partition("?")
    found = []
    userinfo = before.partition("://")[2].rpartition("@")[0]
    if ":" in userinfo:
        found.append(userinfo.partition(":")[2])
    for option in options.split("&"):
        name, _, value = option.partition("=")
        if not SECRET.search(name):
            continue
        found.append(value)
        found += [
            piece.partition("=")[2]
            for piece in unquote_plus(value).split(";")
            if SECRET.search(piece.partition("=")[0])
        ]
    plain = {spelled for secret in found for spelled in (secret, unquote_plus(secret)) if spelled}
    return sorted(plain, key=len, reverse=True)
