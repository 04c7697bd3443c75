"""The dashboard: who gets in, what is shown, what may be done, and how soon it is seen in a real browser."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from syncline.engine import Account, Conduct, Report, StreamReport
from syncline.errors import PlanError
from syncline.model import Rejected, SystemClock
from syncline.operate.home import Home
from syncline.operate.metrics import Metrics
from syncline.operate.monitor import Monitor
from syncline.operate.pages.board import MOST_ROWS
from syncline.operate.served import Running
from syncline.operate.server import Server
from syncline.operate.web.dashboard import Dashboard, shown_at
from syncline.operate.web.guard import Guard, hosts_of
from syncline.secrets import redactor
from syncline.state.store import open_state
from tests.operate.test_pages import HOSTILE, Reader
from tests.support.services import cannot

FILE = """\
name: {name}
schedule: every 15 minutes
source: {{kind: rest, base_url: https://api.shop.example}}
streams: [{{name: orders, path: /orders, primary_key: id}}]
destination: {{kind: sql, url: "sqlite:///{folder}/{name}.db"}}
"""
KEY = "key-of-this-test"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Shown:
    """A dashboard over a folder, and a browser without a memory of its own."""

    def __init__(self, folder: Path, port: int, server: Server, monitor: Monitor) -> None:
        self.folder, self.port, self.server, self.monitor = folder, port, server, monitor
        self.base = f"http://127.0.0.1:{port}"
        self.cookie = {"Cookie": f"syncline_{port}={KEY}"}

    async def ask(self, method: str, path: str, *, known: bool = True, **more: Any) -> tuple[int, str, Any]:
        headers = {**(self.cookie if known else {}), **more.pop("headers", {})}
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, self.base + path, headers=headers, allow_redirects=False, **more) as answer,
        ):
            return answer.status, await answer.text(), answer.headers

    async def proof(self) -> str:
        _, text, _ = await self.ask("GET", "/i/shop")
        found = re.search(r'name="proof" value="([0-9a-f]+)"', text)
        assert found is not None
        return found[1]


@asynccontextmanager
async def dashboard(
    folder: Path, *names: str, writes: bool = False, hosts: tuple[str, ...] = ()
) -> AsyncIterator[Shown]:
    for name in names or ("shop",):
        folder.joinpath(f"{name}.yaml").write_text(FILE.format(name=name, folder=folder))
    clock, port = SystemClock(), free_port()
    monitor = Monitor(clock)
    server = Server(folder, home=Home(folder / ".syncline"), clock=clock)
    await server.survey()

    def make(guard: Guard) -> Dashboard:
        return Dashboard(server, monitor, Metrics(monitor), guard, writes=writes)

    async with shown_at("127.0.0.1", port, make, token=KEY, hosts=hosts) as address:
        assert address == f"http://127.0.0.1:{port}/?token={KEY}"
        yield Shown(folder, port, server, monitor)


def ran(name: str, number: int, **more: Any) -> Report:
    at = SystemClock().now() - timedelta(minutes=15 * (40 - number))
    account = Account(read=100 + number, written=90 + number, rejected=number % 3, unchanged=10 - number % 3)
    stream = StreamReport(name="orders", status="done", account=account)
    fields = {"streams": [stream], "seconds": 3.0, "conduct": Conduct(requests=5, retries=number % 2), **more}
    return Report(run_id=f"{number:032x}", integration=name, started_at=at, finished_at=at, **fields)


async def test_s20_nobody_gets_in_without_the_key(tmp_path: Path) -> None:
    async with dashboard(tmp_path) as shown:
        for path in ("/", "/i/shop", "/i/shop/runs/1", "/?token=wrong", "/nothing"):
            status, text, _ = await shown.ask("GET", path, known=False)
            assert (status, "shop" in text) == (403, False), path
        status, _, headers = await shown.ask("GET", f"/?token={KEY}", known=False)
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        status, text, _ = await shown.ask("GET", "/", known=False, headers={"Cookie": cookie.split(";")[0]})
        assert (status, "shop" in text) == (200, True)


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "/i/shop/../../x"])
async def test_s20_a_key_in_the_address_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    async with dashboard(tmp_path) as shown:
        reader, writer = await asyncio.open_connection("127.0.0.1", shown.port)
        writer.write(
            f"GET {path}?token={KEY} HTTP/1.1\r\nHost: 127.0.0.1:{shown.port}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        assert re.search(r"(?im)^location: /\r$", answer) or " 40" in answer.splitlines()[0]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{port}.evil.example"]
)
async def test_s20_another_name_for_this_address_is_not_answered(tmp_path: Path, host: str) -> None:
    async with dashboard(tmp_path) as shown:
        for path in ("/", "/metrics", "/healthz"):
            status, text, _ = await shown.ask("GET", path, headers={"Host": host.format(port=shown.port)})
            assert (status, "shop" in text) == (421, False), path


async def test_s20_names_that_were_allowed_are(tmp_path: Path) -> None:
    async with dashboard(tmp_path, hosts=("syncline:8321",)) as shown:
        for host in ("syncline:8321", f"localhost:{shown.port}", f"LOCALHOST:{shown.port}"):
            status, _, _ = await shown.ask("GET", "/metrics", known=False, headers={"Host": host})
            assert status == 200, host


async def test_s20_nothing_can_be_done_unless_it_was_allowed(tmp_path: Path) -> None:
    async with dashboard(tmp_path) as shown:
        _, text, _ = await shown.ask("GET", "/i/shop")
        assert "<form" not in text
        origin = {"Origin": shown.base}
        proof = Guard(hosts_of("127.0.0.1", shown.port), shown.port, KEY).proof
        status, _, _ = await shown.ask("POST", "/i/shop/pause", data={"proof": proof}, headers=origin)
        assert (status, shown.server.home.wishes().paused) == (403, frozenset())


@pytest.mark.parametrize(
    ("origin", "proven", "known", "status"),
    [
        ("{base}", True, True, 303),
        ("{base}", False, True, 403),
        ("{base}", True, False, 403),
        ("https://evil.example", True, True, 403),
        ("null", True, True, 403),
        (None, True, True, 403),
        ("http://localhost:{port}", True, True, 403),
    ],
)
async def test_s20_a_form_counts_only_from_a_page_of_ours(
    tmp_path: Path, origin: str | None, proven: bool, known: bool, status: int
) -> None:
    async with dashboard(tmp_path, writes=True) as shown:
        headers = {} if origin is None else {"Origin": origin.format(base=shown.base, port=shown.port)}
        data = {"proof": await shown.proof() if proven else "0" * 64}
        got, _, _ = await shown.ask("POST", "/i/shop/pause", data=data, headers=headers, known=known)
        assert got == status
        assert ("shop" in shown.server.home.wishes().paused) is (status == 303)


async def test_s20_every_answer_forbids_what_does_not_belong_to_it(tmp_path: Path) -> None:
    async with dashboard(tmp_path) as shown:
        nonces = set()
        for path in ("/", "/i/shop", "/metrics", "/nothing"):
            _, text, headers = await shown.ask("GET", path)
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'nonce-")
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
            found = re.search(r"script-src 'nonce-([^']+)'", policy)
            assert found is not None
            nonces.add(found[1])
            assert not re.search(r'\sstyle="|\son\w+="|https?://(?!api\.shop\.example)', text), path
        assert len(nonces) == 4


async def test_s21_what_an_api_sends_is_text_on_every_page(tmp_path: Path) -> None:
    async with dashboard(tmp_path) as shown:
        one = shown.server.by_name("shop")
        assert one is not None
        error = {"code": "server", "what": HOSTILE, "hint": HOSTILE, "evidence": HOSTILE, "where": {"request": HOSTILE}}
        one.past = [ran("shop", 1, status="failed", error=error)]
        live = shown.monitor.of("shop")
        live.circuit, live.circuit_reason = "open", HOSTILE
        async with open_state(tmp_path / "shop.db") as state:
            rejected = [Rejected(record={"name": HOSTILE}, path=HOSTILE.replace("\0", ""), reason=HOSTILE)]
            await state.dead_letters.add("shop", "r", rejected, shown.server.clock.now())
        shown.server.home.add_lines(
            "shop", [json.dumps({"event": HOSTILE, "level": "info", "what": HOSTILE}).encode() + b"\n"]
        )
        for path in ("/", "/i/shop", f"/i/shop/runs/{1:032x}"):
            status, text, _ = await shown.ask("GET", path)
            seen = Reader(text)
            assert status == 200
            assert "img" not in seen.tags
            assert seen.tags.count("script") == (0 if "runs" in path else 1), path
            assert [name for name in seen.attributes if name.startswith("on")] == []
            assert "<script>alert(1)</script>" in seen.text


async def test_s9_no_page_holds_a_secret(tmp_path: Path) -> None:
    canary = "canary-dashboard-<0123456789>"
    redactor.add(canary)
    async with dashboard(tmp_path) as shown:
        async with open_state(tmp_path / "shop.db") as state:
            rejected = [Rejected(record={"token": canary}, path="token", reason=f"not {canary}")]
            await state.dead_letters.add("shop", "r", rejected, shown.server.clock.now())
        _, text, _ = await shown.ask("GET", "/i/shop")
        assert "not ***" in Reader(text).text
        assert canary not in Reader(text).text


async def test_rejects_can_be_dropped_and_runs_asked_for_where_that_is_allowed(tmp_path: Path) -> None:
    async with dashboard(tmp_path, writes=True) as shown:
        async with open_state(tmp_path / "shop.db") as state:
            await state.dead_letters.add(
                "shop", "r", [Rejected(record={"id": 1}, path="a", reason="no")], shown.server.clock.now()
            )
        form = {"proof": await shown.proof(), "id": "1"}
        origin = {"Origin": shown.base}
        assert (await shown.ask("POST", "/i/shop/drop", data=form, headers=origin))[0] == 303
        async with open_state(tmp_path / "shop.db") as state:
            assert await state.dead_letters.list("shop") == []
        assert (await shown.ask("POST", "/i/shop/now", data=form, headers=origin))[0] == 303
        assert shown.server.home.wishes().take_run_now() == ["shop"]
        for path, status in (("/i/shop/burn", 404), ("/i/stranger/now", 404)):
            assert (await shown.ask("POST", path, data=form, headers=origin))[0] == status
        assert (await shown.ask("POST", "/i/shop/drop", data={**form, "id": "1 or 1"}, headers=origin))[0] == 400


async def test_machines_get_metrics_and_health_without_a_key(tmp_path: Path) -> None:
    async with dashboard(tmp_path) as shown:
        status, text, headers = await shown.ask("GET", "/metrics", known=False)
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert 'syncline_paused{integration="shop"} 0' in text
        status, text, _ = await shown.ask("GET", "/healthz", known=False)
        assert (status, json.loads(text)["status"]) == (200, "ok")
        shown.server.looked_at -= timedelta(minutes=1)
        assert (await shown.ask("GET", "/healthz", known=False))[0] == 503


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    async with dashboard(tmp_path) as shown:
        with pytest.raises(PlanError, match="cannot listen at"):
            async with shown_at(
                "127.0.0.1",
                shown.port,
                lambda guard: Dashboard(shown.server, shown.monitor, Metrics(shown.monitor), guard),
            ):
                pass


async def test_u14_the_board_shows_what_there_is_to_know(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "shop", "crm") as shown:
        tmp_path.joinpath("broken.yaml").write_text(
            FILE.format(name="broken", folder=tmp_path).replace("schedule", "shedule")
        )
        shown.server._look()
        shown.server._look()
        for name in ("shop", "crm"):
            one = shown.server.by_name(name)
            assert one is not None
            one.past = [ran(name, number) for number in range(40)]
        error = {"code": "auth", "what": "credentials refused", "hint": "syncline login crm.yaml"}
        crm = shown.server.by_name("crm")
        assert crm is not None
        crm.past.append(ran("crm", 40, status="failed", error=error))
        live = shown.monitor.of("shop")
        live.quota, live.circuit, live.credential, live.ends_at = (
            0.05,
            "open",
            "token",
            shown.server.clock.now() + timedelta(days=2),
        )
        _, page, _ = await shown.ask("GET", "/")
        text = Reader(page).text
        for said in (
            "did you mean 'schedule'?", "credentials refused", "syncline login crm.yaml", "5% quota left", "circuit open",
            "token ends in", "5 requests", "1 retry", "of 38 min",
        ):  # fmt: skip
            assert said in text, said
        assert page.count("<svg") >= 4
        _, page, _ = await shown.ask("GET", "/i/crm")
        assert page.count("<svg") >= 4
        assert f"{40:032x}"[:8] in page


async def test_u14_one_of_hundreds_is_found_by_its_name_or_its_state(tmp_path: Path) -> None:
    async with dashboard(tmp_path, *(f"shop-{number:03}" for number in range(230)), "crm") as shown:
        for one in shown.server.served.values():
            one.past = [ran(one.name, 39)]
        (crm, slow) = (shown.server.by_name(name) for name in ("crm", "shop-007"))
        assert crm is not None and slow is not None
        crm.past = [ran("crm", 1, status="failed", error={"code": "auth", "what": "credentials refused"})]
        crm.running = Running(stop=asyncio.Event(), since=shown.server.clock.now())
        slow.paused = True

        async def found(query: str) -> tuple[list[str], str]:
            status, page, _ = await shown.ask("GET", f"/?{query}")
            assert status == 200
            return re.findall(r'class="name"><a href="/i/([^"]+)"', page), Reader(page).text

        names, text = await found("")
        assert (len(names), names[0]) == (MOST_ROWS, "crm"), "the worst first, also while it runs"
        assert f"and {231 - MOST_ROWS} more" in text and "231 all" in text and "1 paused" in text
        assert (await found("name=SHOP-01"))[0] == [f"shop-{number:03}" for number in range(10, 20)]
        assert (await found("state=attention"))[0] == ["crm"]
        assert (await found("state=paused"))[0] == ["shop-007"]
        assert (await found("state=paused&name=shop-008"))[0] == []
        names, text = await found(f"name={quote(HOSTILE)}&state={quote(HOSTILE)}")
        assert names == [] and "There is none." in text
        assert "alert(1)" not in text, "what was asked for stands in an attribute, escaped"


class Browser:
    """Debian's Chromium, spoken to by its debugging protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        call = {"id": self._number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        await self._socket.send_json(call)
        while True:
            answer = await self._socket.receive_json(timeout=30)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    async def value(self, session: str, expression: str) -> Any:
        """What an expression, or its promise, comes to on the page."""
        found = await self.call(
            "Runtime.evaluate", session, expression=expression, awaitPromise=True, returnByValue=True
        )
        return found["result"]["value"]


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        cannot("Chromium is not installed (Debian package chromium)")
    process = await asyncio.create_subprocess_exec(
        str(program), "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
        f"--user-data-dir={profile}", "about:blank", stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = ""
        while not address:
            line = (await asyncio.wait_for(process.stderr.readline(), 30)).decode()
            address = (re.findall(r"listening on (ws://\S+)", line) or [""])[0]
        async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
            yield Browser(socket)
    finally:
        process.kill()
        await process.communicate()


PAINTED = """
new Promise(done => {
  const look = () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    if (!paint || document.readyState !== "complete") return setTimeout(look, 10);
    done([paint.startTime, document.querySelectorAll(".row").length, getComputedStyle(document.body).margin]);
  };
  look();
})"""


@pytest.mark.slow
async def test_u14_first_paint_within_300_ms_and_nothing_is_refused_by_the_policy(tmp_path: Path) -> None:
    names = [f"shop-{number}" for number in range(200)]
    async with dashboard(tmp_path, *names) as shown, chromium(tmp_path / "profile") as browser:
        for name in names:
            one = shown.server.by_name(name)
            assert one is not None
            one.past = [ran(name, number) for number in range(40)]
        target = (await browser.call("Target.createTarget", url="about:blank"))["targetId"]
        session = (await browser.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        await browser.call("Page.navigate", session, url=f"{shown.base}/?token={KEY}")
        paints = []
        for _ in range(30):
            await browser.call("Page.navigate", session, url=f"{shown.base}/")
            paint, rows, margin = await browser.value(session, PAINTED)
            assert (rows, margin) == (201, "0px")  # all of them, and the style was let in
            paints.append(paint)
            if paint <= 300:  # noise only ever adds: one that holds is proof
                return
        pytest.fail(f"first paint after {min(paints):.0f} ms at best")


@pytest.mark.slow
async def test_u14_dark_and_light_narrow_and_wide_and_always_up_to_date(tmp_path: Path) -> None:
    async with dashboard(
        tmp_path, "shop", "a-name-that-is-as-long-as-names-of-integrations-may-be", writes=True
    ) as shown:
        one = shown.server.by_name("shop")
        assert one is not None
        error = {"code": "server", "what": "x" * 300, "evidence": "y" * 300, "hint": "z " * 100}
        one.past = [ran("shop", number) for number in range(40)] + [ran("shop", 40, status="failed", error=error)]
        async with chromium(tmp_path / "profile") as browser:
            target = (await browser.call("Target.createTarget", url="about:blank"))["targetId"]
            session = (await browser.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            backgrounds = set()
            for path in ("/", "/i/shop", f"/i/shop/runs/{40:032x}"):
                for width in (360, 760, 1400):
                    for scheme in ("dark", "light"):
                        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
                        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
                        await browser.call("Emulation.setEmulatedMedia", session, features=wanted)
                        await browser.call("Emulation.setDeviceMetricsOverride", session, **size)
                        await browser.call("Page.navigate", session, url=f"{shown.base}{path}?token={KEY}")
                        inner, whole, background = await browser.value(session, MEASURED)
                        assert whole <= inner, (path, width)
                        backgrounds.add((scheme, background))
            assert len(backgrounds) == 2
            await browser.call("Page.navigate", session, url=f"{shown.base}/?token={KEY}")
            await browser.value(session, MEASURED)
            one.paused, one.past = True, one.past[:-1]
            assert await browser.value(session, RENEWED) == "paused"


MEASURED = """
new Promise(done => {
  const look = () => {
    const root = document.scrollingElement;
    if (location.href === "about:blank" || document.readyState !== "complete") return setTimeout(look, 10);
    done([innerWidth, root.scrollWidth, getComputedStyle(document.body).backgroundColor]);
  };
  setTimeout(look, 50);
})"""
RENEWED = """
new Promise(done => {
  const look = () => document.body.innerText.includes("paused") ? done("paused") : setTimeout(look, 50);
  look();
  setTimeout(() => done("never"), 15000);
})"""
