"""`syncline demo`: a practice shop on loopback, synced into SQLite with faults on the way, twice."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

from syncline.cli.account import first_rows, look_into_sqlite, own_name, reported_block, summary
from syncline.cli.door import as_json
from syncline.cli.paint import Paint, paint
from syncline.cli.progress import showing
from syncline.cli.stopping import stopping
from syncline.engine import Report, arun
from syncline.errors import PlanError, UsageError
from syncline.model import SystemClock

TEMPLATE = Path(__file__).with_name("shop-orders.yaml")
CHANGES = 40
WITHOUT_EMAIL = 3
START_WITHIN = 30.0


class Demo(msgspec.Struct, kw_only=True):
    """What came of it; `proofs` are the claims that were looked at in the database, and whether they hold."""

    runs: list[Report] = []
    changed: list[int] = []
    shop: dict[str, int] = {}
    proofs: list[tuple[str, bool]] = []

    @property
    def exit_code(self) -> int:
        failed = next((run.exit_code for run in self.runs if run.exit_code), 0)
        return failed or (0 if all(holds for _, holds in self.proofs) else 1)


def main(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.dir)
    brush = paint(None if arguments.json else sys.stdout)
    demo = asyncio.run(_demo(folder, arguments, brush))
    if arguments.json:
        runs = [run.to_data() for run in demo.runs]
        proofs = [{"what": what, "holds": holds} for what, holds in demo.proofs]
        sys.stdout.write(as_json({"runs": runs, "changed": demo.changed, "shop": demo.shop, "proofs": proofs}))
    return demo.exit_code


async def _demo(folder: Path, arguments: argparse.Namespace, brush: Paint) -> Demo:
    demo = Demo()

    def say(*lines: str) -> None:
        if not arguments.json:
            print("\n".join(lines), flush=True)

    file = _prepare(folder)
    say(
        f"{brush.bold('Syncline demo')}  a practice shop here, synced into SQLite: no account, no network",
        "",
    )
    async with _shop(arguments.orders, arguments.seed) as shop:
        _write(folder, file, shop)
        say(
            f"  {brush.name('1')} The shop has {shop['orders']:,} orders. Its API limits, fails, hangs up, revokes tokens.",
            "",
        )
        if not await _sync(demo, file, say, brush):
            return demo
        before = _newest(folder)
        answer = await asyncio.to_thread(_call, f"{shop['url']}/_practice/change", {"count": CHANGES})
        demo.changed = [int(number) for number in answer["changed"]]
        say(
            "",
            f"  {brush.name('2')} {len(demo.changed)} orders change in the shop. The next run asks only for what is new.",
            "",
        )
        if not await _sync(demo, file, say, brush):
            return demo
        demo.shop = await asyncio.to_thread(_call, f"{shop['url']}/_practice/stats")
    demo.proofs = _proofs(folder, demo, shop["orders"], before)
    say("", f"  {brush.name('3')} What the shop threw at us, and what came through", "", *_verdict(demo, brush), "")
    say(*_ways_on(folder, file, brush))
    return demo


async def _sync(demo: Demo, file: Path, say: Any, brush: Paint) -> bool:
    clock = SystemClock()
    async with showing(sys.stderr, clock) as progress:
        with stopping() as stop:
            report = await arun(file, clock=clock, listeners=[progress], stop=stop)
    demo.runs.append(report)
    say(*(f"  {line}" if line else "" for line in summary(report, brush)))
    if report.error is not None:
        sys.stderr.write(reported_block(report.error, colour=brush.on) + "\n")
    return report.status == "done"


def _prepare(folder: Path) -> Path:
    """A folder for the demo; an earlier demo's database is thrown away, anybody else's is not touched."""
    file, database = folder / "shop-orders.yaml", folder / "shop.db"
    first = TEMPLATE.read_text(encoding="utf-8").splitlines()[0]
    ours = file.is_file() and file.read_text(encoding="utf-8", errors="replace").startswith(first)
    if not ours and (file.exists() or database.exists() or (folder / ".env").exists()):
        raise UsageError(f"{folder} holds files that are not the demo's", hint="syncline demo --dir another-folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be made: {error.strerror}", hint="syncline demo --dir another-folder"
        ) from None
    for name in ("shop.db", "shop.db-wal", "shop.db-shm"):
        (folder / name).unlink(missing_ok=True)
    return file


def _write(folder: Path, file: Path, shop: dict[str, Any]) -> None:
    place = folder.as_posix()
    file.write_text(TEMPLATE.read_text(encoding="utf-8").replace("{folder}", place), encoding="utf-8")
    secrets = folder / ".env"
    secrets.touch(mode=0o600)
    names = {"SHOP_URL": "url", "SHOP_CLIENT_ID": "client_id", "SHOP_CLIENT_SECRET": "client_secret"}
    secrets.write_text("".join(f"{name}='{shop[key]}'\n" for name, key in names.items()), encoding="utf-8")


@asynccontextmanager
async def _shop(orders: int, seed: int) -> AsyncIterator[dict[str, Any]]:
    """The practice shop as a process of its own, which leaves when we do."""
    words = ["-m", "syncline.rehearsal.shop", "--orders", str(orders), "--seed", str(seed)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        "--without-email",
        str(min(WITHOUT_EMAIL, orders)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # so that Ctrl-C reaches the run first, which may want to finish a page
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_WITHIN)
        if not line:
            raise PlanError("the practice shop did not start", hint=f"see what it says: python {shlex.join(words)}")
        yield json.loads(line)
    except TimeoutError:
        raise PlanError(
            "the practice shop did not start in time", hint="try again on a machine with less to do"
        ) from None
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5.0)
        except TimeoutError:
            process.kill()
            await process.wait()


def _call(url: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the shop's back office, which is on loopback whatever proxy is set."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310 – our own process
    with build_opener(ProxyHandler({})).open(request, timeout=10) as response:
        return json.load(response)


def _rows(folder: Path, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        return database.execute(query, values).fetchall()


def _newest(folder: Path) -> str:
    return str(_rows(folder, "SELECT max(updated_at) FROM orders")[0][0])


def _proofs(folder: Path, demo: Demo, orders: int, before: str) -> list[tuple[str, bool]]:
    first, second = (run.account for run in demo.runs)
    count, different = _rows(folder, "SELECT count(*), count(DISTINCT external_id) FROM orders")[0]
    newer = {int(row[0]) for row in _rows(folder, "SELECT external_id FROM orders WHERE updated_at > ?", before)}
    picked, expected = newer, set(demo.changed)
    missed = len(expected - picked)
    return [
        (
            f"{count:,} rows + {first.rejected} rejected = {orders:,} orders: none lost",
            count + first.rejected == orders,
        ),
        (f"{different:,} different orders in {count:,} rows: none twice", different == count),
        (
            f"the second run wrote {second.written} rows: exactly the {len(expected)} orders that changed",
            picked <= expected and second.written == len(picked) and missed == second.rejected,
        ),
        ("both accounts add up: read = written + unchanged + rejected + filtered", first.adds_up and second.adds_up),
    ]


def _verdict(demo: Demo, brush: Paint) -> list[str]:
    shop = demo.shop
    faults = {"429": "limited", "500": "errors", "hung up": "drops", "token revoked": "revoked"}
    thrown = " · ".join(f"{shop[key]} × {name}" for name, key in faults.items())
    lines = [f"    {brush.warn('!')} {shop['requests']:,} requests: {thrown}"]
    for what, holds in demo.proofs:
        lines.append(f"    {brush.good('✓') if holds else brush.bad('✗')} {what}")
    return lines


def _ways_on(folder: Path, file: Path, brush: Paint) -> list[str]:
    commands = [
        (f"cat {shlex.quote(str(file))}", "the whole integration"),
        (
            look_into_sqlite(
                str(folder / "shop.db"),
                first_rows(
                    "orders",
                    columns="number, customer, amount, currency, updated_at",
                    order=" ORDER BY updated_at DESC",
                ),
            ),
            "the data",
        ),
        (
            f"{own_name()} rejects list {shlex.quote(str(file))}",
            f"the {WITHOUT_EMAIL} orders without an e-mail address",
        ),
        (f"{own_name()} status {shlex.quote(str(file))}", "how far it is"),
    ]
    lines = [f"  {brush.bold('Look around')}"]
    for command, what in commands:
        lines.append(f"    {brush.name(command)}  {brush.dim(f'# {what}')}")
    return lines
