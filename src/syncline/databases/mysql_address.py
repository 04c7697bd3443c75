"""What a mysql:// URL says, as the driver takes it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from syncline.errors import PlanError
from syncline.model import Secret
from syncline.model.names import did_you_mean

Mode = Literal["disabled", "preferred", "required", "verify_ca", "verify_identity"]
"""As MySQL's own programs call them (https://dev.mysql.com/doc/refman/8.0/en/connection-options.html#option_general_ssl-mode)."""

MODES: tuple[Mode, ...] = ("disabled", "preferred", "required", "verify_ca", "verify_identity")
PORT = 3306
CONNECT_SECONDS, WRITE_SECONDS = 10.0, 60.0
READ_SECONDS = 900.0
"""How long one statement may take; a change of a large table's schema takes minutes."""
TIMES = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS, "write_timeout": WRITE_SECONDS}
FILES = ("ssl_ca", "ssl_cert", "ssl_key")
SWITCHES = ("ssl", "ssl_disabled", "ssl_verify_cert", "ssl_verify_identity")
OTHER_NAMES = {"sslmode": "ssl_mode", "ssl_check_hostname": "ssl_verify_identity", "socket": "unix_socket"}
OPTIONS = ("ssl_mode", "unix_socket", "charset", *TIMES, *FILES, *SWITCHES)
YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def arguments(url: Secret) -> dict[str, Any]:
    """What the driver is called with. Raises PlanError; neither the password nor an option's value is shown."""
    try:
        parts = urlsplit(url.reveal())
        port = parts.port or PORT
    except ValueError:
        raise PlanError("the url of the database cannot be read", hint=_HINT) from None
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise PlanError("the url names no database", hint=_HINT)
    options = _options(parts.query)
    found: dict[str, Any] = {"host": unquote(parts.hostname or "127.0.0.1"), "port": port, "database": name}
    if parts.username:
        found["user"] = unquote(parts.username)
    if parts.password:
        found["password"] = unquote(parts.password).encode()  # the driver itself would take it for Latin-1
    if "unix_socket" in options:
        found["unix_socket"] = options["unix_socket"]
    for option, seconds in TIMES.items():
        found[option] = _seconds(option, options[option]) if option in options else seconds
    return found | _tls(options)


_HINT = "write mysql://user:password@host:3306/name (mariadb://… is the same)"


def _options(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for given, value in parse_qsl(query, keep_blank_values=True):
        option = given.lower().replace("-", "_")
        option = OTHER_NAMES.get(option, option)
        if option not in OPTIONS:
            raise PlanError(
                f"the url's option {given[:40]!r} is not known", hint=did_you_mean(option, OPTIONS) or "leave it out"
            )
        found[option] = value
    if found.get("charset", "utf8mb4").lower() != "utf8mb4":
        raise PlanError("the url asks for a character set that cannot hold every text", hint="leave `charset` out")
    return found


def _seconds(option: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise PlanError(f"the url's option {option} is a number of seconds", hint=f"write {option}=30")
    return seconds


def _tls(options: Mapping[str, str]) -> dict[str, Any]:
    mode = _mode(options)
    if mode == "disabled":
        return {"ssl_disabled": True}
    if mode == "preferred":
        return {}  # the driver asks for TLS and does without where the server has none
    context = ssl.create_default_context()
    context.check_hostname = mode == "verify_identity"
    if mode == "required":
        context.verify_mode = ssl.CERT_NONE
    try:
        if "ssl_ca" in options:
            context.load_verify_locations(options["ssl_ca"])
        if "ssl_cert" in options:
            context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
    except OSError as problem:
        raise PlanError(
            "the certificates that the url names cannot be used",
            hint="ssl_ca, ssl_cert and ssl_key are paths of PEM files; they count from the folder where syncline runs",
            evidence=problem.strerror or str(problem),
        ) from None
    return {"ssl": context}


def _mode(options: Mapping[str, str]) -> Mode:
    """Who asks for TLS gets it verified, unless they say otherwise."""
    said = {name: _switch(name, options[name]) for name in SWITCHES if name in options}
    if "ssl_mode" in options:
        named = options["ssl_mode"].lower().replace("-", "_")
        if named not in MODES:
            raise PlanError("the url's ssl_mode is not known", hint=f"one of {', '.join(MODES)}")
        return MODES[MODES.index(named)]
    if said.get("ssl") is False or said.get("ssl_disabled") is True:
        return "disabled"
    if not said.get("ssl") and not any(name in options for name in (*FILES, "ssl_verify_cert", "ssl_verify_identity")):
        return "preferred"
    if said.get("ssl_verify_cert") is False:
        return "required"
    return "verify_ca" if said.get("ssl_verify_identity") is False else "verify_identity"


def _switch(name: str, value: str) -> bool:
    if value.lower() not in (*YES, *NO):
        raise PlanError(f"the url's option {name} is true or false", hint=f"write {name}=true")
    return value.lower() in YES
