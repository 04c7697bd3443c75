"""Ways to tell people: Slack, PagerDuty, any webhook, e-mail; apprise knows all others."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from syncline.errors import PlanError, SynclineError
from syncline.http.resolver import AnyAddress
from syncline.http.transport import open_transport
from syncline.http.wire import Wire
from syncline.model import Clock, Request
from syncline.operate.alerts.book import Message
from syncline.secrets import redactor

PATIENCE = 15.0
LONGEST = 1_000
"""Characters of a detail that are sent."""
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
SLACK = "hooks.slack.com"
WEB = ("http", "https")
WIRE = Wire(home_host="", connect=5.0, read=PATIENCE, total=PATIENCE, max_body=100_000, max_ratio=100.0, connections=2)


class NotDeliveredError(SynclineError):
    code = "alert"


async def deliver(address: str, message: Message, clock: Clock) -> None:
    """Send one message. Raises SynclineError where nobody can have heard it; never anything else."""
    try:
        scheme = urlsplit(address).scheme
        if scheme in ("smtp", "smtps"):
            await asyncio.to_thread(_mail, address, message)
        elif scheme.partition("+")[0] == "pagerduty":
            await _post(*_pagerduty(address, message), clock)
        elif scheme.partition("+")[0] == "slack" or urlsplit(address).hostname == SLACK:
            await _post(address.removeprefix("slack+"), _slack(message), clock)
        elif scheme in WEB:
            await _post(address, plain(message), clock)
        else:
            await asyncio.to_thread(_apprise, address, message)
    except SynclineError:
        raise
    except Exception as error:  # libraries raise what they like, and no alert may end a sync
        raise NotDeliveredError(redactor.text(f"{type(error).__name__}: {error}")) from None


def shown(address: str) -> str:
    """The way and the host: everything else of an address may be a secret."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "an address that cannot be read"
    if parts.scheme.partition("+")[0] == "pagerduty":
        return "pagerduty"
    if parts.scheme in (*WEB, "smtp", "smtps") or parts.scheme.startswith("slack+"):
        return f"{parts.scheme}://{parts.hostname or ''}"
    return parts.scheme or "an address that cannot be read"


def heading(message: Message) -> str:
    """One line: `✗ shop-orders: the last run failed`, `✓ shop-orders: over: …`."""
    mark = "✓" if message.resolved else {"error": "✗", "warning": "!"}.get(message.trouble.severity, "·")
    over = "over: " if message.resolved else ""
    return _one_line(f"{mark} {message.integration}: {over}{message.trouble.title}")


def paragraphs(message: Message) -> list[str]:
    """What is known, and what to do; nothing of it is markup."""
    trouble = message.trouble
    told = [] if message.resolved else [trouble.detail, f"What to do: {trouble.hint}" if trouble.hint else ""]
    texts = [*told, f"since {message.since:%Y-%m-%d %H:%M} UTC"]
    return [_one_line(text)[:LONGEST] for text in texts if text]


def plain(message: Message) -> dict[str, Any]:
    """What any webhook gets."""
    trouble = message.trouble
    return {
        "version": 1,
        "integration": message.integration,
        "alert": trouble.kind,
        "status": "resolved" if message.resolved else "firing",
        "severity": trouble.severity,
        "title": _one_line(trouble.title),
        "detail": _one_line(trouble.detail)[:LONGEST],
        "hint": _one_line(trouble.hint),
        "since": message.since.isoformat(),
        "key": message.key,
    }


def _slack(message: Message) -> dict[str, Any]:
    """Blocks of plain text, in which nothing is a link, a mention or an emoji; the notification's text is escaped."""
    title = heading(message)
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": title[:150], "emoji": False}},
        *(
            {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}
            for text in paragraphs(message)
        ),
    ]
    escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": escaped, "blocks": blocks}


def _pagerduty(address: str, message: Message) -> tuple[str, dict[str, Any]]:
    """Events API v2: `pagerduty://KEY`, or `pagerduty+https://KEY@host/path` for another region."""
    parts = urlsplit(address)
    scheme = parts.scheme.partition("+")[2]
    key = unquote(parts.username or "") if scheme else address.partition("://")[2].strip("/")
    if not key:
        raise PlanError(
            "the address has no key", hint="write pagerduty://KEY, with the integration key of Events API v2"
        )
    place = address.rpartition("@")[2]
    url = f"{scheme}://{place}" if scheme else PAGERDUTY
    event: dict[str, Any] = {
        "routing_key": key,
        "event_action": "resolve" if message.resolved else "trigger",
        "dedup_key": message.key,
    }
    if not message.resolved:
        event["payload"] = {
            "summary": heading(message)[:1024],
            "source": message.integration,
            "severity": message.trouble.severity,
            "component": "syncline",
            "class": message.trouble.kind,
            "custom_details": {
                "detail": _one_line(message.trouble.detail)[:LONGEST],
                "hint": _one_line(message.trouble.hint),
            },
        }
    return url, event


async def _post(url: str, data: Mapping[str, Any], clock: Clock) -> None:
    body = msgspec.json.encode(data)
    headers = {"Content-Type": "application/json"}
    async with open_transport(WIRE, clock, AnyAddress()) as send:
        answer = await send(Request(method="POST", url=url, headers=headers, body=body))
    if not 200 <= answer.status < 300:
        raise NotDeliveredError(f"the answer was status {answer.status}")


def _mail(address: str, message: Message) -> None:
    """`smtps://user:password@host/?from=…&to=…`; `smtp://` uses STARTTLS, and only a loopback server may do without."""
    parts = urlsplit(address)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host, user = parts.hostname or "", unquote(parts.username or "")
    if "to" not in query or not host:
        raise PlanError(
            "the address names nobody",
            hint="write smtps://user:password@host/?from=sync@example.org&to=ops@example.org",
        )
    mail = EmailMessage()
    mail["Subject"] = heading(message)
    mail["From"] = query.get("from") or user
    mail["To"] = query["to"]
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="syncline.invalid")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n\n".join([heading(message), *paragraphs(message)]) + "\n")
    tls = ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=PATIENCE, context=tls)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=PATIENCE)
    with server:
        server.ehlo()
        if parts.scheme == "smtp" and (host not in ("127.0.0.1", "::1", "localhost") or server.has_extn("starttls")):
            server.starttls(context=tls)
        if user:
            server.login(user, unquote(parts.password or ""))
        server.send_message(mail)


def _apprise(address: str, message: Message) -> None:
    try:
        import apprise  # late: an extra, and it brings requests with it
    except ImportError:
        raise PlanError(
            f"{shown(address)} needs apprise, which is not installed", hint="pip install 'syncline[alerts]'"
        ) from None
    told = apprise.Apprise()
    if not told.add(address):
        raise PlanError(
            "apprise does not know such an address", hint="https://github.com/caronc/apprise lists what it knows"
        )
    body = "\n\n".join(paragraphs(message))
    kind = apprise.NotifyType.SUCCESS if message.resolved else apprise.NotifyType.WARNING
    if not told.notify(body=body, title=heading(message), notify_type=kind, body_format=apprise.NotifyFormat.TEXT):
        raise NotDeliveredError("apprise could not deliver it")


def _one_line(text: str) -> str:
    """Without known secrets, line breaks and control characters: a header ends at its line, and no terminal is steered."""
    clean = redactor.text(text)
    return " ".join("".join(character if character.isprintable() else " " for character in clean).split())
