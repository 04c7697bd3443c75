"""Who was told what: pure bookkeeping, so that everything is told once, and told to be over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from syncline.operate.alerts.troubles import Trouble
from syncline.spec import Alert


class Open(msgspec.Struct, kw_only=True):
    """A trouble that is not over, or of which somebody does not know yet that it is. `told` is when each address heard of it."""

    trouble: Trouble
    since: datetime
    told: dict[str, datetime] = {}
    ended: tuple[str, ...] = ()
    """Who has heard that it is over, and is done with it."""
    over_at: datetime | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What one address is to hear. `key` is the same for a beginning and its end; `rule` names the address."""

    rule: str
    integration: str
    trouble: Trouble
    since: datetime
    resolved: bool = False

    @property
    def key(self) -> str:
        return f"syncline/{self.integration}/{self.trouble.kind}"


class Book:
    """The open troubles of one integration. `due` says what is to be told, `delivered` is told what was."""

    def __init__(self, integration: str, opened: Mapping[str, Open] | None = None) -> None:
        self.integration = integration
        self.opened: dict[str, Open] = dict(opened or {})

    def see(self, troubles: Iterable[Trouble], now: datetime) -> None:
        """What is not well now; whatever is not among it is over."""
        seen = {trouble.kind: trouble for trouble in troubles}
        for kind, trouble in seen.items():
            known = self.opened.get(kind)
            if known is None or (known.over_at is not None and not known.told):
                self.opened[kind] = Open(trouble=trouble, since=now)
            else:
                known.trouble, known.over_at = trouble, None
                known.told = {name: at for name, at in known.told.items() if name not in known.ended}
                known.ended = ()
        for kind, known in self.opened.items():
            if kind not in seen and known.over_at is None:
                known.over_at = now

    def due(self, rules: Mapping[str, Alert], now: datetime) -> list[Message]:
        """Messages to send now: beginnings, reminders and ends, to those who want them and are not to be left alone."""
        messages = []
        for kind, known in list(self.opened.items()):
            wanting = {name: rule for name, rule in rules.items() if self._wants(rule, known)}
            for name, rule in wanting.items():
                if not rule.is_quiet(now) and self._is_due(known, name, rule, now):
                    messages.append(self._message(name, known))
            if known.over_at is not None and not self._waits(known, wanting):
                del self.opened[kind]
        return messages

    def delivered(self, message: Message, now: datetime) -> None:
        known = self.opened.get(message.trouble.kind)
        if known is None:
            return
        if message.resolved:
            known.ended = (*known.ended, message.rule)
        else:
            known.told = {**known.told, message.rule: now}

    @staticmethod
    def _wants(rule: Alert, known: Open) -> bool:
        trouble = known.trouble
        if known.over_at is not None and _wants_the_end(rule, known):
            return True
        if trouble.kind == "dead_letters" and known.over_at is None and trouble.share <= rule.rejects_over:
            return False
        return trouble.kind in rule.on

    @staticmethod
    def _is_due(known: Open, name: str, rule: Alert, now: datetime) -> bool:
        told = known.told.get(name)
        if known.over_at is not None:
            return name not in known.ended and (told is not None or _wants_the_end(rule, known))
        return told is None or (rule.repeat is not None and now - told >= timedelta(seconds=rule.repeat))

    @staticmethod
    def _waits(known: Open, wanting: Mapping[str, Alert]) -> bool:
        """Whether anybody is still to hear that it is over."""
        return any(
            name not in known.ended and (name in known.told or _wants_the_end(rule, known))
            for name, rule in wanting.items()
        )

    def _message(self, name: str, known: Open) -> Message:
        over = known.over_at is not None
        return Message(rule=name, integration=self.integration, trouble=known.trouble, since=known.since, resolved=over)


def _wants_the_end(rule: Alert, known: Open) -> bool:
    return known.trouble.kind == "failed" and "recovered" in rule.on


def rules_of(alerts: Sequence[Alert]) -> dict[str, Alert]:
    """The rules by the text of their addresses, which holds no secret: a reference, not what it stands for."""
    return {f"{alert.to} {'+'.join(alert.on)}": alert for alert in alerts}
