"""What is not well, and who is told: rules, bookkeeping, and messages as real receivers get them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given, strategies as st

from syncline import events
from syncline.engine import Account, Report, StreamReport
from syncline.errors import SynclineError
from syncline.operate.alerts.book import Book, Message, rules_of
from syncline.operate.alerts.channels import deliver, shown
from syncline.operate.alerts.teller import Teller
from syncline.operate.alerts.troubles import Trouble, troubles_of
from syncline.operate.home import Home
from syncline.operate.monitor import Live, Monitor
from syncline.operate.served import Served
from syncline.rehearsal.simulator.wire import Answer, Call
from syncline.secrets import redactor
from syncline.spec import Alert, loads
from tests.support.clock import SimulatedClock
from tests.support.serving import Aside

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOSTILE = "<!channel> <https://evil.example|click> *bold* @here\r\nBcc: all@example.org\x1b[2J"
FILE = """\
name: shop
schedule: every 15 minutes
source: {kind: rest, base_url: https://api.shop.example}
streams: [{name: orders, path: /orders, primary_key: id}]
destination: {kind: sql, url: "sqlite:///shop.db"}
alerts:
  - {to: "${WHERE}", on: [failed, stale, dead_letters]}
"""


def ran(read: int = 100, *, status: str = "done", rejected: int = 0, at: datetime = NOON, **more: Any) -> Report:
    account = Account(read=read, written=read - rejected, rejected=rejected)
    stream = StreamReport(name="orders", status=status, account=account, sync_mode="incremental")
    return Report(
        run_id="r", integration="shop", status=status, started_at=at, finished_at=at, streams=[stream], **more
    )


def served(*past: Report, text: str = FILE) -> Served:
    integration = loads(text)
    return Served(
        path=Path("shop.yaml"), integration=integration, label="shop", alerts=integration.alerts, past=list(past)
    )


def kinds(one: Served, live: Live | None = None, now: datetime = NOON) -> list[str]:
    return [trouble.kind for trouble in troubles_of(one, live or Live(), now, NOON)]


@pytest.mark.parametrize(
    ("past", "live", "minutes", "found"),
    [
        ([ran()], Live(), 10, []),
        ([ran(status="failed", error={"what": "server"})], Live(), 0, ["failed"]),
        ([ran(status="interrupted")], Live(), 0, []),
        ([ran(status="held")], Live(), 0, []),
        ([ran()], Live(), 38, ["stale"]),
        ([], Live(), 38, ["stale"]),
        ([ran(rejected=3)], Live(), 0, ["dead_letters"]),
        ([ran(rejected=100, status="partial", error={"what": "all"})], Live(), 0, ["dead_letters"]),
        ([ran(status="partial", error={"what": "a gap"})], Live(), 0, ["failed"]),
        ([ran()] * 10 + [ran(0)], Live(), 0, ["empty"]),
        ([ran()] * 9 + [ran(0)], Live(), 0, []),
        ([ran(0), *[ran()] * 10, ran(0)], Live(), 0, []),
        ([ran()] * 10 + [ran(1000)], Live(), 0, ["volume"]),
        ([ran()] * 10 + [ran(10)], Live(), 0, ["volume"]),
        ([ran()] * 10 + [ran(300)], Live(), 0, []),
        ([ran(count) for count in (5, 900, 40, 3000, 12, 700, 90, 10, 2000, 60)] + [ran(2500)], Live(), 0, []),
        ([ran()], Live(changes=["orders: add column x"]), 0, ["schema"]),
        ([ran()], Live(credential="token", ends_at=NOON + timedelta(days=2)), 0, ["credentials"]),
        ([ran()], Live(quota=0.05), 0, ["quota"]),
        ([ran()], Live(quota=0.5), 0, []),
        ([ran()], Live(circuit="open", circuit_reason="503"), 0, ["circuit"]),
        ([ran()], Live(circuit="half_open"), 0, []),
    ],
)
def test_what_is_not_well(past: list[Report], live: Live, minutes: int, found: list[str]) -> None:
    assert kinds(served(*past), live, NOON + timedelta(minutes=minutes)) == found


def test_a_broken_file_is_a_failure_with_its_line() -> None:
    one = served(ran())
    one.mistake = {
        "what": "1 mistake",
        "mistakes": [{"file": "shop.yaml", "line": 3, "column": 1, "path": "soruce", "what": "no"}],
    }
    (trouble,) = troubles_of(one, Live(), NOON, NOON)
    assert (trouble.kind, trouble.detail) == ("failed", "shop.yaml:3: soruce: no")


FAILED = Trouble(kind="failed", title="the last run failed")


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


class Told:
    """A book, and what its addresses have heard."""

    def __init__(self, *alerts: Alert) -> None:
        self.book, self.rules, self.heard = Book("shop"), rules_of(alerts), list[tuple[str, str, bool]]()

    def at(self, minutes: float, *troubles: Trouble, broken: bool = False) -> list[tuple[str, bool]]:
        self.book.see(troubles, after(minutes))
        messages = self.book.due(self.rules, after(minutes))
        for message in messages:
            if not broken:
                self.book.delivered(message, after(minutes))
        return [(message.trouble.kind, message.resolved) for message in messages]


def test_a_trouble_is_told_once_and_told_to_be_over() -> None:
    told = Told(Alert(to="${A}", on=("failed",)))
    assert [told.at(0, FAILED), told.at(5, FAILED), told.at(10), told.at(15), told.at(20, FAILED)] == [
        [("failed", False)], [], [("failed", True)], [], [("failed", False)],
    ]  # fmt: skip


def test_what_lasts_is_said_again_after_a_day() -> None:
    told = Told(Alert(to="${A}"))
    assert told.at(0, FAILED)
    assert told.at(23 * 60, FAILED) == []
    assert told.at(24 * 60, FAILED) == [("failed", False)]
    never = Told(Alert(to="${A}", repeat=None))
    assert never.at(0, FAILED)
    assert never.at(9_000_000, FAILED) == []


def test_nobody_is_told_in_quiet_hours_and_afterwards_only_what_lasts() -> None:
    told = Told(Alert(to="${A}", on=("failed", "stale"), quiet="11:00-13:00"))
    stale = Trouble(kind="stale", title="old")
    assert told.at(0, FAILED, stale) == []
    assert told.at(30, stale) == []
    assert told.at(61, stale) == [("stale", False)]


def test_what_could_not_be_delivered_is_tried_again() -> None:
    told = Told(Alert(to="${A}"))
    assert told.at(0, FAILED, broken=True) == told.at(1, FAILED) == [("failed", False)]
    assert told.at(2, FAILED) == []
    assert told.at(3, broken=True) == told.at(4) == [("failed", True)]
    assert told.at(5) == []


def test_who_wants_only_recoveries_hears_only_those_and_once() -> None:
    told = Told(Alert(to="${A}", on=("recovered",)), Alert(to="${B}", on=("failed",)))
    assert told.at(0, FAILED) == [("failed", False)]
    assert told.at(1, broken=True) == [("failed", True)] * 2
    assert told.at(2) == [("failed", True)] * 2
    assert told.at(3) == []
    assert told.book.opened == {}


def test_rejects_below_the_threshold_are_nobodys_concern() -> None:
    few, many = (Trouble(kind="dead_letters", title="", share=share) for share in (0.01, 0.2))
    told = Told(Alert(to="${A}", on=("dead_letters",), rejects_over=0.05))
    assert [told.at(0, few), told.at(1, many), told.at(2)] == [[], [("dead_letters", False)], [("dead_letters", True)]]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_beginnings_and_ends_alternate_whatever_happens(steps: list[tuple[bool, bool]]) -> None:
    told, heard = Told(Alert(to="${A}")), []
    for minute, (fails, undeliverable) in enumerate(steps):
        messages = told.at(minute, *([FAILED] if fails else []), broken=undeliverable)
        heard += [] if undeliverable else [resolved for _, resolved in messages]
    assert heard == [bool(place % 2) for place in range(len(heard))]


@pytest.mark.parametrize(
    ("quiet", "hour", "is_quiet"),
    [
        ("22:00-07:00", 23, True),
        ("22:00-07:00", 6, True),
        ("22:00-07:00", 7, False),
        ("09:00-17:00 America/New_York", 12, False),
        ("09:00-17:00 America/New_York", 14, True),
        (None, 3, False),
    ],
)
def test_quiet_hours_go_by_their_zone(quiet: str | None, hour: int, is_quiet: bool) -> None:
    assert Alert(to="${A}", quiet=quiet).is_quiet(NOON.replace(hour=hour)) is is_quiet


@pytest.mark.parametrize("quiet", ["22-7", "22:00-22:00", "22:00-07:00 Europe/Pari"])
def test_hours_that_cannot_be_meant_are_refused(quiet: str) -> None:
    with pytest.raises(ValueError, match=r"quiet hours|did you mean 'Europe/Paris'"):
        Alert(to="${A}", quiet=quiet)


class Receiver(Aside):
    """A web server that keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status = 202
        super().__init__()
        self.place = self.url.removeprefix("http://")

    def handle(self, call: Call, now: datetime) -> Answer:
        self.got.append((call.target, call.json))
        return Answer(status=self.status)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


class Mailbox:
    """A real SMTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((envelope.rcpt_tos, mail))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, f"smtp://127.0.0.1:{port}/?from=sync@example.org&to=ops@example.org"
    controller.stop()


def message(*, resolved: bool = False) -> Message:
    trouble = Trouble(kind="failed", title=f"it failed {HOSTILE}", detail=HOSTILE, hint="syncline report shop.yaml")
    return Message(rule="a", integration="shop", trouble=trouble, since=NOON, resolved=resolved)


async def test_s21_slack_gets_plain_text_in_which_nothing_is_markup(receiver: Receiver) -> None:
    await deliver(f"slack+http://{receiver.place}/services/T/B/X", message(), SimulatedClock())
    ((path, sent),) = receiver.got
    assert path == "/services/T/B/X"
    assert {block["text"]["type"] for block in sent["blocks"]} == {"plain_text"}
    assert sent["blocks"][0]["text"]["text"].startswith("✗ shop: it failed")
    assert "&lt;!channel&gt;" in sent["text"]
    assert "<" not in sent["text"]
    assert "\x1b" not in json.dumps(sent)


async def test_pagerduty_gets_a_trigger_and_its_resolution_under_one_key(receiver: Receiver) -> None:
    address = f"pagerduty+http://KEY@{receiver.place}/v2/enqueue"
    await deliver(address, message(), SimulatedClock())
    await deliver(address, message(resolved=True), SimulatedClock())
    (path, first), (_, last) = receiver.got
    assert path == "/v2/enqueue"
    assert (first["routing_key"], first["event_action"], first["payload"]["severity"]) == ("KEY", "trigger", "error")
    assert (last["event_action"], last["dedup_key"]) == ("resolve", first["dedup_key"])


async def test_any_webhook_gets_the_facts(receiver: Receiver) -> None:
    await deliver(f"http://{receiver.place}/hook", message(), SimulatedClock())
    ((_, sent),) = receiver.got
    assert (sent["alert"], sent["status"], sent["key"]) == ("failed", "firing", "syncline/shop/failed")
    receiver.status = 500
    with pytest.raises(SynclineError, match="500"):
        await deliver(f"http://{receiver.place}/hook", message(), SimulatedClock())


async def test_s21_mail_arrives_with_its_headers_as_they_were_meant(mailbox: tuple[Mailbox, str]) -> None:
    box, address = mailbox
    await deliver(address, message(), SimulatedClock())
    ((recipients, mail),) = box.mails
    assert recipients == ["ops@example.org"]
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("✗ shop: it failed")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert "What to do: syncline report shop.yaml" in mail.get_content()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's
async def test_apprise_knows_all_others(receiver: Receiver) -> None:
    await deliver(f"json://{receiver.place}/", message(), SimulatedClock())
    ((_, sent),) = receiver.got
    assert sent["title"].startswith("✗ shop: it failed")
    with pytest.raises(SynclineError, match="apprise does not know"):
        await deliver("nothing-like-it://x", message(), SimulatedClock())


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://hooks.slack.com/services/T1/B2/canary", "https://hooks.slack.com"),
        ("slack+https://chat.example/hooks/canary", "slack+https://chat.example"),
        ("pagerduty://canary", "pagerduty"),
        ("smtps://user:canary@mail.example/?to=a@b.example", "smtps://mail.example"),
        ("tgram://canary/1", "tgram"),
        ("https://[canary", "an address that cannot be read"),
        ("canary", "an address that cannot be read"),
    ],
)
def test_s9_an_address_is_shown_without_what_is_secret_in_it(address: str, said: str) -> None:
    assert shown(address) == said


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's
@pytest.mark.parametrize(
    "address", ["https://[x", "", "smtp://127.0.0.1:9/", "smtp://127.0.0.1:9/?to=a@b.example", "pagerduty://"]
)
async def test_an_address_that_cannot_be_used_is_an_error_of_ours(address: str) -> None:
    with pytest.raises(SynclineError):
        await deliver(address, message(), SimulatedClock())


class Watched:
    """A teller whose events are heard."""

    def __init__(self, folder: Path, clock: SimulatedClock) -> None:
        self.monitor = Monitor(clock)
        self.teller = Teller(Home(folder / ".syncline"), self.monitor, clock)
        self.heard: list[events.Event] = []

    async def look(self, one: Served) -> None:
        with events.listening(lambda _, event: self.heard.append(event)):
            await self.teller.look(one)


async def test_s9_what_is_told_holds_no_secret(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-alert-0123456789"
    redactor.add(canary)
    monkeypatch.setenv("WHERE", f"http://{receiver.place}/hook")
    one = served(ran(status="failed", error={"what": f"refused {canary}", "hint": f"use {canary}"}))
    await Watched(tmp_path, SimulatedClock()).look(one)
    ((_, sent),) = receiver.got
    assert "refused ***" in sent["detail"]
    kept = tmp_path.joinpath(".syncline/alerts.json").read_text()
    assert canary not in json.dumps(sent)
    assert receiver.place not in kept


async def test_a_restart_repeats_nothing(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", f"http://{receiver.place}/hook")
    failed = served(ran(status="failed", error={"what": "server"}))
    clock = SimulatedClock()
    for _ in range(3):
        await Watched(tmp_path, clock).look(failed)
    await Watched(tmp_path, clock).look(served(ran()))
    assert [sent["status"] for _, sent in receiver.got] == ["firing", "resolved"]


async def test_a_failing_channel_is_told_once_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE", "http://127.0.0.1:9/hook")
    watched = Watched(tmp_path, SimulatedClock())
    one = served(ran(status="failed", error={"what": "server"}))
    await watched.look(one)
    await watched.look(one)
    (undelivered,) = watched.heard
    assert isinstance(undelivered, events.AlertUndelivered)
    monkeypatch.delenv("WHERE")
    await watched.look(one)
    assert len(watched.heard) == 2


async def test_a_slow_channel_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> None:
        begun.set()
        await release.wait()

    monkeypatch.setattr("syncline.operate.alerts.teller.deliver", slow)
    monkeypatch.setenv("WHERE", "https://slow.example/hook")
    watched, one = Watched(tmp_path, SimulatedClock()), served(ran(status="failed", error={"what": "server"}))
    first = asyncio.create_task(watched.look(one))
    await begun.wait()
    await asyncio.wait_for(watched.look(one), 1)  # does not wait for the first
    release.set()
    await first
    assert [type(event) for event in watched.heard] == [events.AlertTold]
