"""Looks at every integration after each of its runs, and from time to time, and tells people what they have to know."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from syncline import events
from syncline.engine import Report, resolved
from syncline.errors import SynclineError
from syncline.model import Clock, Reference, reveal
from syncline.operate.alerts.book import Book, Message, Open, rules_of
from syncline.operate.alerts.channels import deliver, shown
from syncline.operate.alerts.troubles import Trouble, troubles_of
from syncline.operate.home import Home
from syncline.operate.monitor import Monitor
from syncline.operate.served import Served
from syncline.spec import Alert

EVERY = 30.0
"""Seconds from one look to the next: for what becomes stale, for the end of quiet hours, for what could not be delivered."""
KEPT = "alerts.json"


class Teller:
    """Knows who was told what, over restarts too. Whatever goes wrong here ends as an event, never in a run."""

    def __init__(self, home: Home, monitor: Monitor, clock: Clock) -> None:
        self._home, self._monitor, self._clock = home, monitor, clock
        self._since = clock.now()
        self._books = _read_books(home.read_json(KEPT))
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._complained: dict[str, str] = {}

    async def run_ended(self, one: Served, report: Report) -> None:
        """An observer of the server."""
        await self.look(one)

    async def watch(self, served: Callable[[], Iterable[Served]]) -> None:
        """Look at all of them for ever."""
        while True:
            await self._clock.sleep(EVERY)
            for one in [one for one in served() if one.running is None]:
                try:
                    await self.look(one)
                except Exception as bug:  # one integration's is not to keep the others' alerts back
                    events.emit(events.Noticed(what=f"looking for alerts failed: {type(bug).__name__}: {bug}"))

    async def look(self, one: Served) -> None:
        """Tell what is to be told about one integration now."""
        alerts = one.alerts
        if not alerts and one.name not in self._books:
            return
        if self._locks[one.name].locked():
            return  # somebody is being told, who may be slow to answer; what is new meanwhile is seen at the next look
        async with self._locks[one.name]:
            book = self._books.setdefault(one.name, Book(one.name))
            now, before = self._clock.now(), _written(book)
            book.see(troubles_of(one, self._monitor.of(one.name), now, self._since), now)
            rules = rules_of(alerts)
            for message in book.due(rules, now):
                if await self._tell(rules[message.rule], message, one.path.resolve().parent):
                    book.delivered(message, self._clock.now())
            if _written(book) != before:
                self._keep()

    async def _tell(self, alert: Alert, message: Message, folder: Path) -> bool:
        with events.within(integration=message.integration):
            where, kind = "an address that has no value", message.trouble.kind
            try:
                address = await address_of(alert, folder)
                where = shown(address)
                await deliver(address, message, self._clock)
            except SynclineError as error:
                if self._complained.get(message.rule) != error.what:
                    self._complained[message.rule] = error.what
                    events.emit(events.AlertUndelivered(alert=kind, address=where, reason=error.what))
                return False
            self._complained.pop(message.rule, None)
            events.emit(events.AlertTold(alert=kind, address=where, resolved=message.resolved))
            return True

    def _keep(self) -> None:
        try:
            self._home.write_json(KEPT, {name: _written(book) for name, book in self._books.items() if book.opened})
        except OSError as error:
            events.emit(events.Noticed(what=f"who was told what could not be kept: {error}"))


async def address_of(alert: Alert, folder: Path) -> str:
    """The address, its references resolved. Raises AuthError and SpecError."""
    known = await resolved(alert, os.environ, folder) if isinstance(alert.to, Reference) else alert
    return reveal(known.to)


def example(integration: str, now: datetime) -> Message:
    """What `syncline alerts test` sends."""
    trouble = Trouble(
        kind="failed",
        title="a test of this alert's address",
        detail="Nothing has happened: somebody ran `syncline alerts test`.",
        hint="nothing; the next message says that it is over",
        severity="info",
    )
    return Message(rule="", integration=integration, trouble=trouble, since=now)


def _written(book: Book) -> Any:
    return msgspec.to_builtins(book.opened)


def _read_books(data: Any) -> dict[str, Book]:
    try:
        opened = msgspec.convert(data or {}, dict[str, dict[str, Open]])
    except msgspec.ValidationError:
        return {}
    return {name: Book(name, troubles) for name, troubles in opened.items()}
