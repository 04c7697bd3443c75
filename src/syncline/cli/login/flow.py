"""The two ways to a person's consent: a browser that comes back here, or a code that is typed in elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from syncline.auth import OAuth2
from syncline.cli.login.loopback import Loopback, Said, listening
from syncline.errors import SynclineError
from syncline.http import Send, Tokens
from syncline.model import Clock, Token


class Teller(Protocol):
    """Shows people and programs what to do."""

    def open_page(self, url: str, redirect_uri: str, seconds: float) -> None: ...

    def enter_code(self, url: str, code: str, whole: str | None, seconds: float) -> None: ...


class LogIn(msgspec.Struct, frozen=True, kw_only=True):
    """One log-in for the integration `name`; `send` is the way to the authorisation server."""

    name: str
    auth: OAuth2
    tokens: Tokens
    send: Send
    clock: Clock
    teller: Teller

    async def token(self, *, port: int | None, seconds: float) -> Token:
        """The token, stored. Raises AuthError where nobody agreed, UsageError where the port is taken."""
        if self.auth.grant == "device_code":
            return await self._by_code()
        return await self._by_browser(port, seconds)

    async def _by_code(self) -> Token:
        """RFC 8628."""
        answer = await self.send(self.auth.device_start(self.clock.now()))
        code = self.auth.device_code(answer)
        self.teller.enter_code(code.verification_uri, code.user_code, code.verification_uri_complete, code.expires_in)
        steps = self.auth.device_poll(code, self.clock.now(), self.clock.monotonic())
        return await self.tokens.enter(steps)

    async def _by_browser(self, port: int | None, seconds: float) -> Token:
        """RFC 6749, 4.1 with PKCE (RFC 7636) over a loopback redirect (RFC 8252)."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        async with listening(self.auth.redirect_uri, port, state) as loopback:
            address = self.auth.authorization(state, verifier, loopback.redirect_uri)
            self.teller.open_page(address, loopback.redirect_uri, seconds)
            params = await loopback.redirect(seconds)
            return await self._ended(loopback, lambda: self._exchanged(params, state, verifier, loopback.redirect_uri))

    async def _exchanged(self, params: dict[str, str], state: str, verifier: str, redirect_uri: str) -> Token:
        code = self.auth.check_callback(params, state)
        steps = self.auth.exchange(code, verifier, redirect_uri, self.clock.now(), self.clock.monotonic())
        return await self.tokens.enter(steps)

    async def _ended(self, loopback: Loopback, work: Callable[[], Any]) -> Token:
        """Do the rest while the browser waits, and let it show how that ended."""
        try:
            token: Token = await work()
        except SynclineError as error:
            facts = {"Seen": error.evidence or "", "Try": error.hint or ""}
            title = "Nobody agreed" if error.what == "nobody agreed" else "That did not work"
            await loopback.tell(Said("bad", title, f"{error.what[:1].upper()}{error.what[1:]}.", facts))
            raise
        except BaseException:
            await loopback.tell(Said("bad", "Stopped", "The log-in was stopped in the terminal."))
            raise
        text = "You can close this window and go back to the terminal."
        await loopback.tell(Said("good", "Logged in", text, {"Integration": self.name}))
        return token
