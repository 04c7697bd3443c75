"""What the numbers of MySQL's and MariaDB's errors mean."""

from __future__ import annotations

import re

from syncline.databases.database import Trouble
from syncline.errors import SynclineError

# https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-codes/
TOO_LARGE = 1153
AWAY = frozenset(
    (
        0, 2002, 2003, 2005, 2006, 2013, 2055,  # no connection, or none any more
        1040, 1203, 1053, 1077, 1080, 1152, 1158, 1159, 1160, 1161, 1927, 4031,  # too many, shutting down, cut off
        1047, 1290, 1792, 1836,  # a node that is not ready, or that may only be read since another one took over
    )
)  # fmt: skip
CONTENDED = frozenset((1205, 1213, 1020, 1317, 1412, 1479, 3101, 3572))
"""A lock that was not given, a deadlock, a table that changed meanwhile, a statement that was ended by somebody."""
FULL = frozenset((1021, 1114))
REFUSED = frozenset(
    (
        TOO_LARGE, 139, 1118,  # more than a packet or a row holds
        1048, 1062, 1169, 1216, 1217, 1364, 1451, 1452, 1586, 1644, 1761, 1762, 3819, 4025,  # constraints and triggers
        1264, 1265, 1292, 1300, 1366, 1367, 1406, 1411, 1416, 1441, 1525, 1690, 1906, 3105, 3140, 3141, 3156, 3819,
    )
)  # fmt: skip
DOUBLE, KEY_OF_TEXT, TOO_LONG = 1062, (1170, 1071), (1406, 1265)
DENIED, UNKNOWN_DATABASE = frozenset((1044, 1045, 1698, 2054, 2059, 3118, 4151)), 1049
NOT_ALLOWED = frozenset((1142, 1143, 1227, 1370, 1410))
NO_TLS = frozenset((2026, 3159))
NO_KEY = frozenset((3098, 3750))


_COLUMN = re.compile(r"[Cc]olumn (?:'([^']+)'|(?:`(?:[^`]|``)+`\.)*`((?:[^`]|``)+)`)")


def column_in(said: str) -> str:
    """The column that a message names, empty where it names none."""
    found = _COLUMN.search(said)
    return (found[1] or found[2].replace("``", "`")) if found else ""


def code_of(problem: BaseException) -> int | None:
    first = problem.args[0] if problem.args else None
    return first if isinstance(first, int) else None


def trouble_of(problem: BaseException) -> Trouble:
    if isinstance(problem, ValueError | TypeError):
        return "refused"
    code = code_of(problem)
    if code in AWAY:
        return "away"
    if code in CONTENDED:
        return "contended"
    if code in FULL or _disk_is_full(problem):
        return "full"
    return "refused" if code in REFUSED else "other"


def _disk_is_full(problem: BaseException) -> bool:
    """As the number of the operating system's error (ENOSPC) within a message."""
    said = str(problem)
    return any(sign in said for sign in ("error 28 ", "errno: 28 ", "Errcode: 28 ", "errno: 28)", "Errcode: 28)"))


def explain(problem: BaseException, shown: str, error: type[SynclineError]) -> SynclineError:
    code, trouble = code_of(problem), trouble_of(problem)
    said = str(problem.args[1]) if len(problem.args) > 1 else str(problem)
    if trouble == "full":
        what, hint = (
            f"no room left in {shown}",
            "free space on the server and run again; nothing is lost, the run resumes",
        )
    elif code in DENIED:
        what, hint = f"{shown} does not let this user in", "check user and password in the destination's url"
    elif code == UNKNOWN_DATABASE:
        what, hint = f"{shown} does not exist", "create it (CREATE DATABASE …), or name another one in the url"
    elif code in NOT_ALLOWED:
        what = f"this user may not do that in {shown}"
        hint = "grant it SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, CREATE TEMPORARY TABLES there"
    elif code in NO_TLS:
        what, hint = f"{shown} could not be reached by TLS", "check ssl_mode and ssl_ca in the url"
    elif code in (1290, 1792, 1836):
        what, hint = f"{shown} takes no writes", "name the primary in the url, or wait until it is back"
    elif trouble == "away":
        what, hint = f"{shown} cannot be reached", "check that it runs and that the url's host and port are right"
    elif code == 1213:
        what, hint = f"{shown} ended the transaction to resolve a deadlock", "run again; nothing is lost"
    elif trouble == "contended":
        what = f"another program holds what is needed in {shown}"
        hint = "end its transaction (SHOW PROCESSLIST shows it), then run again; nothing is lost"
    elif code == TOO_LARGE:
        what = f"a record is larger than {shown} takes"
        hint = "raise max_allowed_packet on the server (SET GLOBAL max_allowed_packet = …), at most 1 GB"
    elif code == 1118:
        what, hint = f"a row would be larger than InnoDB allows in {shown}", "map the fields that you need, no others"
    elif code in NO_KEY:
        what = f"{shown} wants a primary key on every table"
        hint = "set `primary_key` and write: upsert, or sql_require_primary_key = OFF on the server"
    else:
        what, hint = f"the database refused a statement on {shown}", "the transaction was rolled back; see what it said"
    return error(what, hint=hint, evidence=f"{code}: {said}" if code else said)
