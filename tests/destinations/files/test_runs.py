"""Whole runs into files: the example against the practice shop, passes broken off and taken up, rejects retried."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import duckdb
import pytest

from syncline import events
from syncline.engine import Report, arun, plan, retry_rejects
from syncline.model import decode_json
from syncline.rehearsal.shop import Shop
from syncline.rehearsal.simulator.faults import ServerError
from syncline.spec import Integration, loads
from tests.destinations.files.support import current, lines, names
from tests.engine.shelf import CURSOR, Shelf, books
from tests.support.clock import SimulatedClock
from tests.support.serving import serving

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def done(report: Report) -> Report:
    assert report.error is None, report.error
    assert (report.status, report.exit_code, report.account.adds_up) == ("done", 0, True)
    return report


def shelf(url: str, **destination: Any) -> Integration:
    """Books by a cursor, appended."""
    text = {
        "name": "shelf",
        "source": {"kind": "rest", "base_url": url, "retry": {"attempts": 1}},
        "streams": [books(into={"write": "append"}, pagination=CURSOR)],
        "destination": {"kind": "file", "path": "out", **destination},
    }
    import yaml

    return loads(yaml.safe_dump(text))


@pytest.mark.slow
async def test_the_example_writes_the_practice_shop_as_parquet(tmp_path: Path):
    clock = SimulatedClock(datetime.now(UTC))
    shop = Shop(orders=1_500, seed=7, clock=clock)
    file = EXAMPLES / "shop-orders-parquet.yaml"
    async with shop.serve() as url:
        around = {"SHOP_URL": url, "SHOP_CLIENT_ID": shop.tokens.client_id}
        around["SHOP_CLIENT_SECRET"] = shop.tokens.client_secret
        first = done(await arun(file, environment=around, clock=clock))
        assert first.account.written == 1_500
        before = landed(tmp_path)
        assert before == [meant(order) for order in sorted(shop.goods.orders(), key=lambda one: one["id"])]
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/_practice/change", json={"count": 12}) as said,
        ):
            changed = (await said.json())["changed"]
        second = done(await arun(file, environment=around, clock=clock))
        assert second.account.written == 12, "what stood at the boundary is known again"
    after = Counter(row["id"] for row in landed(tmp_path))
    assert {key for key, count in after.items() if count == 2} == set(changed)
    assert {file.parent.parent.name for file in current(tmp_path / "lake")} == {"orders"}


def landed(folder: Path) -> list[dict[str, Any]]:
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(f"SELECT * FROM '{folder}/lake/orders/**/*.parquet' ORDER BY id")
        columns = [column[0] for column in found.description]
        types = {column[0]: str(column[1]) for column in found.description}
        assert (types["created_at"], types["items"]) == ("TIMESTAMP WITH TIME ZONE", "JSON")
        assert types["amount"].startswith("DECIMAL(18,")
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    return [row | {"items": decode_json(row["items"])} for row in rows]


def meant(order: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": order["id"],
        "email": order["customer"]["email"].strip().lower() if order["customer"]["email"] else None,
        "country": order["customer"]["address"]["country"],
        "amount": Decimal(order["total_price"]),
        "created_at": datetime.fromisoformat(order["created_at"]),
        "items": [{name: line[name] for name in ("sku", "quantity", "unit_price")} for line in order["line_items"]],
    }


@pytest.mark.parametrize("lost", [False, True])
async def test_a_run_goes_on_with_its_file_and_begins_anew_where_that_is_gone(tmp_path: Path, lost: bool):
    api = Shelf(books=10)
    api.strike(ServerError(at=3))
    told: list[str] = []

    def listen(scope: events.Scope, event: events.Event) -> None:
        if isinstance(event, events.Noticed):
            told.append(event.what)

    async with serving(api) as url:
        failed = await arun(shelf(url))
        assert failed.status == "failed"
        assert all(name.startswith(".syncline/") for name in names(tmp_path / "out"))
        if lost:
            shutil.rmtree(tmp_path / "out")
        report = done(await arun(shelf(url), listeners=[listen]))
        assert report.account.written == (10 if lost else 4)
        again = done(await arun(shelf(url)))
        assert again.account.written == 0, "the boundary is recognised, after beginning anew too"
    (file,) = current(tmp_path / "out", "books")
    assert [row["id"] for row in lines([file])] == list(range(1, 11))
    assert file.name == f"books-{(report if lost else failed).run_id}.jsonl"
    assert any("begins anew" in one for one in told) == lost


async def test_a_retried_reject_is_in_the_file_of_the_next_run(tmp_path: Path):
    api = Shelf(books=3)
    api.books[1]["title"] = "\ud800"
    async with serving(api) as url:
        first = done(await arun(shelf(url)))
        assert (first.account.written, first.account.rejected) == (2, 1)
        mapped = shelf(url).to_data()
        mapped["streams"][0]["mapping"] = {"id": "id"}
        import yaml

        fixed = loads(yaml.safe_dump(mapped))
        (retried,) = await retry_rejects(fixed)
        assert (retried.landed, retried.rejected) == (1, 0)
        api.books.append({**api.books[0], "id": 4, "updated_at": "2026-01-03T00:00:00Z"})
        second = done(await arun(fixed))
        assert second.account.written == 1
    rows = lines(current(tmp_path / "out", "books"))
    assert sorted(row["id"] for row in rows) == [1, 2, 3, 4]


async def test_a_plan_names_the_files_and_makes_none(tmp_path: Path):
    async with serving(Shelf(books=3)) as url:
        found = await plan(shelf(url, path="out/{stream}/{id}/{run}.csv"))
    assert found.streams[0].trial.statements == tuple(f"WRITE books/{n}/RUN.csv" for n in (1, 2, 3))
    assert found.exit_code == 3
    assert list(tmp_path.iterdir()) == []
