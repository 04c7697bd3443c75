"""The current token of a connection: one for all its requests, and with a store one for all processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from syncline.auth import Auth, Poll
from syncline.errors import AuthError, SynclineError
from syncline.events import CredentialEnding, Noticed, TokenObtained, emit
from syncline.http.origins import is_loopback
from syncline.http.tokens.identity import token_auth, worth_of
from syncline.http.tokens.kept import Kept, OvertakenError, runs_out
from syncline.model import Clock, Request, Response, Secret, Token

Send = Callable[[Request], Awaitable[Response]]

LAST_MOMENT = 5.0
"""Seconds that closing waits for the answer to a refresh token that is spent already; runs end within ten (R33)."""


def ignore(secret: Secret) -> None:
    """Hears of secrets and does nothing."""


class TokenStore(Protocol):
    """Where a token outlives a process. `alone` keeps out every other process that shares the store, while it is held."""

    shown: str

    def alone(self) -> AbstractAsyncContextManager[None]: ...

    async def load(self) -> Kept: ...

    async def save(self, kept: Kept) -> Kept: ...


class Tokens:
    """The current token. However many requests find it run out or refused, one of them gets the next, for all.

    `send` is the way to the token endpoint: the transport with retries, without credentials of the API. `on_secret` hears of
    every value before it is used.
    """

    def __init__(
        self,
        auth: Auth,
        send: Send,
        clock: Clock,
        store: TokenStore | None = None,
        on_secret: Callable[[Secret], None] = ignore,
    ) -> None:
        self.current: Token | None = None
        self._auth, self._send, self._clock, self._store = auth, send, clock, store
        self._on_secret = on_secret
        holder = token_auth(auth)
        self._precious = holder is not None and worth_of(holder) in ("everything", "rotation")
        self._obtaining: asyncio.Task[Token] | None = None
        self._spending = False
        self._warned = False

    async def fresh(self) -> Token:
        """A token that holds. Raises AuthError, or what the way to the token endpoint raises."""
        token = self.current
        if token is not None and self._auth.fresh(token, self._clock.monotonic()):
            return token
        return await self._together(token, None)

    async def renewed(self, refused: Token, challenge: Response) -> Token:
        """The token after `refused`, which `challenge` did not accept; somebody may have got it already."""
        if self.current is not None and self.current is not refused:
            return self.current
        return await self._together(refused, challenge)

    async def enter(self, steps: Generator[Request | Poll, Response, Token]) -> Token:
        """Follow a log-in to its token, and store that in place of whatever was there."""
        token = await self._follow(steps)
        if self._store is not None:
            async with self._store.alone():
                there = await self._store.load()
                await self._store.save(Kept(token=token, revision=there.revision))
        return self._take(token)

    async def close(self) -> None:
        task = self._obtaining
        if task is None:
            return
        if self._spending:  # the server has the old refresh token and gives a new one: without it nobody comes in again
            await asyncio.wait({task}, timeout=LAST_MOMENT)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _together(self, stale: Token | None, challenge: Response | None) -> Token:
        if self._obtaining is None:
            self._obtaining = asyncio.create_task(self._replace(stale, challenge))
            self._obtaining.add_done_callback(self._finished)
        # shielded: one caller that gives up must not take the token from the others
        return await asyncio.shield(self._obtaining)

    def _finished(self, task: asyncio.Task[Token]) -> None:
        self._obtaining = None
        if not task.cancelled():
            task.exception()  # seen, even where every caller gave up

    async def _replace(self, stale: Token | None, challenge: Response | None) -> Token:
        reason = "the API refused it" if challenge else "it ran out" if stale else "first use"
        store = self._store
        if store is None:
            token = await self._follow(self._steps(stale, challenge))
        else:
            kept = await store.load()
            if kept.token is not None and self._serves(kept.token, stale):
                return self._take(kept.token)
            async with store.alone():
                kept = await store.load()
                if kept.token is not None and self._serves(kept.token, stale):
                    return self._take(kept.token)
                token = await self._exchanged(store, kept, stale, challenge)
        emit(TokenObtained(reason=reason))
        return self._take(token)

    def _serves(self, found: Token, stale: Token | None) -> bool:
        """Whether another process has got a token already, and it is not the one that no longer serves."""
        return self._auth.fresh(found, self._clock.monotonic()) and (stale is None or found.access != stale.access)

    async def _exchanged(self, store: TokenStore, kept: Kept, stale: Token | None, challenge: Response | None) -> Token:
        """The next token, saved before anybody uses it. Called while the store is held.

        That a refresh token is about to be spent is written down first: so a full disk shows while the old token is still good,
        and whoever comes after a crash between answer and save knows what happened.
        """
        before, interrupted = kept.token or stale, kept.asked_at is not None
        if self._precious:
            kept = await store.save(msgspec.structs.replace(kept, token=before, asked_at=self._clock.now()))
        self._spending = self._precious
        try:
            token = await self._obtained(before, kept.previous, challenge)
            previous = kept.previous
            if before is not None and before.refresh is not None:
                if token.refresh == before.refresh:  # what is known of it stays true
                    token = msgspec.structs.replace(token, extra={**_end_of_refresh(before), **token.extra})
                else:
                    previous = before.refresh
            try:
                await store.save(Kept(token=token, previous=previous, revision=kept.revision))
            except OvertakenError:
                # only where the lock did not hold: a file system without locks, a lost connection
                emit(
                    Noticed(
                        what="another process stored a token meanwhile; this run uses its own and keeps it to itself",
                        hint="see whether the file system of `tokens` has locks, or use `tokens: postgresql://…`",
                    )
                )
            return token
        except AuthError as error:
            if before is None and error.evidence is None:
                error.evidence = f"there is none in {store.shown}"
            if self._precious:
                await self._refused(store, kept, error, interrupted)
            raise
        finally:
            self._spending = False

    async def _obtained(self, before: Token | None, previous: Secret | None, challenge: Response | None) -> Token:
        """The next token: with the newest refresh token, and where that is refused, with the one before it.

        A server that never learned of its own rotation, or was restored from a backup, still knows that one. Where it counts
        as theft (RFC 6819, 5.2.2.3), nothing is lost that was not lost already.
        """
        try:
            return await self._follow(self._steps(before, challenge))
        except AuthError as error:
            if before is None or previous is None or previous == before.refresh or not _grant_is_dead(error):
                raise
            older = msgspec.structs.replace(before, refresh=previous)
            try:
                return await self._follow(self._steps(older, challenge))
            except AuthError:
                raise error from None

    async def _refused(self, store: TokenStore, kept: Kept, error: AuthError, interrupted: bool) -> None:
        if interrupted and _grant_is_dead(error):
            error.cause = (
                "a process died, or an answer was lost, after the server had changed the refresh token and before the new one "
                "was stored; this server does not take the old one again"
            )
        try:
            await store.save(msgspec.structs.replace(kept, asked_at=None))
        except (SynclineError, OvertakenError):
            return  # what the server said matters more

    def _steps(self, current: Token | None, challenge: Response | None) -> Generator[Request, Response, Token]:
        return self._auth.obtain(current, self._clock.now(), self._clock.monotonic(), challenge)

    async def _follow(self, steps: Generator[Any, Response, Token]) -> Token:
        try:
            step = next(steps)
            while True:
                if isinstance(step, Poll):
                    await self._clock.sleep(step.wait)
                    step = step.request
                if not (step.url.startswith("https://") or is_loopback(step.url)):
                    raise AuthError(
                        "the token endpoint is not https, so everybody could read the credentials",
                        hint="write token_url with https://",
                    )
                step = steps.send(await self._send(step))
        except StopIteration as done:
            if isinstance(done.value, Token):
                return done.value
            raise TypeError(f"{type(self._auth).__name__}.obtain returned no token") from None
        finally:
            steps.close()

    def _take(self, token: Token) -> Token:
        for secret in (token.access, token.refresh):
            if secret is not None:
                self._on_secret(secret)
        self.current = token
        end = runs_out(token, self._clock.now(), self._clock.monotonic())
        if end is not None and not self._warned:
            self._warned = True
            which = "token" if token.refresh is None else "refresh token"
            emit(CredentialEnding(credential=which, ends_at=end))
            emit(
                Noticed(
                    what=f"the {which} runs out on {end:%Y-%m-%d at %H:%M} UTC, and then somebody must log in again",
                    hint="log in before that: syncline login FILE",
                )
            )
        return token


def _grant_is_dead(error: AuthError) -> bool:
    return (error.evidence or "").startswith("invalid_grant")


def _end_of_refresh(token: Token) -> dict[str, Any]:
    return {name: value for name, value in token.extra.items() if name == "refresh_expires_at"}
