"""`syncline login`: somebody agrees once, and the token is kept encrypted."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
import webbrowser
from pathlib import Path
from typing import Any

import msgspec

from syncline.auth import OAuth2
from syncline.cli.door import as_json
from syncline.cli.login.flow import LogIn
from syncline.cli.paint import Paint, paint, printable
from syncline.engine import resolved
from syncline.engine.tokens import End, TokenStatus, connection_of, opened_store, token_status
from syncline.errors import UsageError
from syncline.http.tokens import find_keys, make_key, token_auth
from syncline.model import Clock, SystemClock
from syncline.model.units import span
from syncline.secrets import redactor
from syncline.spec import Integration, load


def main(arguments: argparse.Namespace) -> int:
    result = asyncio.run(_act(arguments, SystemClock()))
    if arguments.json:
        sys.stdout.write(as_json(result))
    else:
        _print(arguments.file, result, paint(sys.stdout))
    return 0


async def _act(arguments: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    end: End = "destination" if arguments.destination else "source"
    integration = await _readied(Path(arguments.file), end, forget=arguments.forget)
    if arguments.forget:
        store = opened_store(integration, clock, purpose="forget", end=end)
        forgotten = store is not None and await store.forget()
        return {"integration": integration.name, "act": "forget", "forgotten": forgotten}
    if arguments.status:
        status = await token_status(integration, clock=clock, end=end)
        return {"integration": integration.name, "act": "status", "token": _data(status)}
    key = await _log_in(integration, end, arguments, clock)
    status = await token_status(integration, clock=clock, end=end)
    return {"integration": integration.name, "act": "login", "key": key, "token": _data(status)}


async def _readied(path: Path, end: End, *, forget: bool) -> Integration:
    """The integration with what its log-in needs resolved; asks for no credentials of the other end."""
    integration = load(path)
    folder = path.resolve().parent
    parts = {end: getattr(integration, end), "tokens": integration.tokens}
    integration = integration.model_copy(
        update={name: await resolved(part, os.environ, folder) for name, part in parts.items()}
    )
    auth = _auth(integration, end)
    if auth is None:
        raise UsageError(
            f"the {end} of this integration has no token to log in for",
            hint="a log-in belongs to: auth: {kind: oauth2, grant: authorization_code, …} or device_code",
            integration=integration.name,
        )
    if not forget and not (isinstance(auth, OAuth2) and auth.grant in ("authorization_code", "device_code")):
        grant = getattr(auth, "grant", auth.to_data().get("kind"))
        raise UsageError(
            f"{grant} needs nobody to log in; its credentials are in the environment",
            hint="syncline run FILE; or write grant: authorization_code or device_code",
            integration=integration.name,
        )
    return integration


def _data(status: TokenStatus | None) -> dict[str, Any] | None:
    return None if status is None else msgspec.to_builtins(status)


def _auth(integration: Integration, end: End) -> Any:
    connection = connection_of(integration, end)
    return token_auth(connection.auth) if connection is not None else None


async def _log_in(integration: Integration, end: End, arguments: argparse.Namespace, clock: Clock) -> str:
    """Log in, store the token, and return where its key is."""
    made = _ready_key(keyring=arguments.keyring)
    store = opened_store(integration, clock, purpose="login", end=end)
    assert store is not None
    async with store.alone():
        await store.load()  # a store that cannot be reached says so before anybody has logged in
    teller = _Teller(integration.name, arguments, made)
    connection = connection_of(integration, end)
    assert connection is not None
    async with connection.token_desk(clock=clock, tokens=store, on_secret=redactor.add) as (tokens, send):
        log_in = LogIn(
            name=integration.name, auth=_auth(integration, end), tokens=tokens, send=send, clock=clock, teller=teller
        )
        await log_in.token(port=arguments.port, seconds=arguments.timeout)
    return store.keys[0].place


def _ready_key(*, keyring: bool) -> str | None:
    """See that there is a key; where it was made, if it was made now."""
    there = find_keys(os.environ)
    if keyring and there and "keyring" not in there[0].place:
        raise UsageError(
            f"there is a key already, in {there[0].place}",
            hint="tokens stored with it need it; remove it first, then log in again everywhere",
        )
    return None if there else make_key(os.environ, keyring=keyring).place


class _Teller:
    """Says what to do: in words on stdout, or with --json as lines of JSON on stderr, where stdout is for the result."""

    def __init__(self, name: str, arguments: argparse.Namespace, made: str | None) -> None:
        self.name, self.json, self.browser = name, arguments.json, not arguments.no_browser
        self.brush = paint(sys.stdout)
        if made is not None:
            self._say(
                {"event": "key_made", "place": made},
                [
                    f"made a key for tokens in {made}; the tokens are worth nothing without it, and with it everything",
                    "",
                ],
            )

    def open_page(self, url: str, redirect_uri: str, seconds: float) -> None:
        opened = self.browser and _open(url)
        head = "Your browser has opened a page. If it has not, open this:" if opened else "Open this page in a browser:"
        lines = [
            f"{self.brush.bold(f'Log in for {self.name}')}",
            "",
            f"  {head}",
            "",
            f"  {self.brush.name(printable(url))}",
            "",
            self.brush.dim(f"  waiting up to {span(seconds)} for {redirect_uri}"),
        ]
        if not opened and os.environ.get("SSH_CONNECTION"):
            port = redirect_uri.rpartition(":")[2].partition("/")[0]
            lines.append(self.brush.dim(f"  a browser elsewhere comes back through: ssh -L {port}:127.0.0.1:{port} …"))
        self._say({"event": "open", "url": url, "redirect_uri": redirect_uri, "timeout": seconds}, [*lines, ""])

    def enter_code(self, url: str, code: str, whole: str | None, seconds: float) -> None:
        if self.browser:
            _open(whole or url)
        lines = [
            f"{self.brush.bold(f'Log in for {self.name}')}",
            "",
            f"  On any device, open   {self.brush.name(printable(url))}",
            f"  and enter the code    {self.brush.bold(printable(code))}",
            *([f"  or open at once       {self.brush.name(printable(whole))}"] if whole else []),
            "",
            self.brush.dim(f"  waiting up to {span(seconds)}"),
        ]
        event = {"event": "code", "url": url, "user_code": code, "complete_url": whole, "timeout": seconds}
        self._say(event, [*lines, ""])

    def _say(self, event: dict[str, Any], lines: list[str]) -> None:
        # not redacted: the address must be whole, and what stands in it is meant for the browser's address line
        if self.json:
            sys.stderr.write(msgspec.json.encode(event).decode() + "\n")
            sys.stderr.flush()
        else:
            print("\n".join(lines), flush=True)


def _open(url: str) -> bool:
    """Open a browser where a person can see one; text browsers would take the terminal over."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


def _print(file: str, result: dict[str, Any], brush: Paint) -> None:
    name, token = brush.bold(result["integration"]), result.get("token") or {}
    if result["act"] == "forget":
        print(f"{name}: {'the token is forgotten here' if result['forgotten'] else 'there is no stored token'}")
        if result["forgotten"]:
            print(f"  {brush.dim('it still works where it was copied to: revoke it in the account as well')}")
    elif result["act"] == "status":
        _print_status(name, token, brush)
    else:
        print(f"{brush.good('✓')} {name}: logged in")
        print(
            f"  {brush.dim('token')}  {printable(token['place'])}, encrypted with the key in {printable(result['key'])}"
        )
        for line in _lives(token):
            print(f"         {line}")
        print(f"  {brush.dim('next')}   syncline run {shlex.quote(file)}")


def _print_status(name: str, token: dict[str, Any], brush: Paint) -> None:
    if not token.get("stored"):
        print(f"{name}: {printable(token.get('problem') or 'nobody has logged in')}")
        print(f"  {brush.dim('fix')}    {printable(token.get('hint') or 'syncline login FILE')}")
        return
    print(f"{brush.good('✓')} {name}: {printable(token['place'])}")
    for line in _lives(token):
        print(f"  {line}")


def _lives(token: dict[str, Any]) -> list[str]:
    """How long it will do."""
    lines = []
    if end := token.get("expires_at"):
        lines.append(f"holds until {_moment(end)}")
    if token.get("refreshable"):
        lines.append("is renewed by itself")
        if end := token.get("refresh_expires_at"):
            lines[-1] += f", if it is used before {_moment(end)}"
    elif token.get("expires_at"):
        lines.append("cannot be renewed: log in again then (the server gave no refresh token)")
    return lines


def _moment(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"
