"""What only the real API shows, shown by the practice shop; and what it shows where the file is wrong about it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from syncline.errors import TransportError
from syncline.model import SystemClock
from syncline.rehearsal.checklist import LIVE, Line, look
from syncline.rehearsal.shop import Shop
from syncline.rehearsal.shop.faults import Faults

EXAMPLE = Path(__file__).parents[2] / "examples/shop-orders.yaml"


async def looked(folder: Path, url: str, shop: Shop, **changes: str) -> dict[str, Line]:
    text = EXAMPLE.read_text().replace("lookback: 5m", "lookback: 0s")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "shop.yaml"
    file.write_text(text)
    environment = {
        "SHOP_URL": url,
        "SHOP_CLIENT_ID": shop.tokens.client_id,
        "SHOP_CLIENT_SECRET": shop.tokens.client_secret,
    }
    return {line.name: line for line in await look(file, environment=environment)}


@pytest.fixture
def shop() -> Shop:
    return Shop(orders=300, faults=Faults.none())


async def test_everything_is_as_the_file_says(tmp_path: Path, shop: Shop) -> None:
    async with shop.serve() as url:
        lines = await looked(tmp_path, url, shop)
    assert list(lines) == list(LIVE)
    assert {name: line.status for name, line in lines.items() if line.status != "held"} == {
        "announced": "not applicable"
    }
    assert lines["pagination"].evidence == ("orders: 100 + 100 records by cursor",)
    assert lines["key"].evidence == ("orders: 200 records, 200 different id",)
    assert lines["credentials"].evidence[0].endswith("with 1 token obtained")
    assert lines["clock"].again.endswith("--live --only clock")


async def test_the_limits_that_it_announces_are_told(tmp_path: Path) -> None:
    shop = Shop(orders=300, faults=Faults(limited_every=0, error_every=0, drop_every=0, revoke_every=0, announce=True))
    async with shop.serve() as url:
        line = (await looked(tmp_path, url, shop))["announced"]
    assert line.status == "held"
    assert line.evidence[-1] == "the file says 20/s; the lower of both is kept"


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("pagination", {"param: cursor": "param: kursor"}, "the same cursor again"),
        ("records", {"records: data": "records: date"}, "did you mean records: data?"),
        ("key", {"primary_key: id": "primary_key: status", "external_id": "status_id", "source: id": "source: status"},
         "have the status of another"),
        ("cursor", {"cursor: updated_at": "cursor: changed_at"}, "have no changed_at"),
        ("cursor", {"param: updated_since": "param: nothing"}, "nothing changes nothing"),
        ("credentials", {"${SHOP_CLIENT_SECRET}": "${SHOP_CLIENT_ID}"}, "refused the grant"),
    ],
)  # fmt: skip
async def test_what_the_file_is_wrong_about(
    name: str, changes: dict[str, str], said: str, tmp_path: Path, shop: Shop
) -> None:
    async with shop.serve() as url:
        line = (await looked(tmp_path, url, shop, **changes))[name]
    assert line.status == "failed"
    assert said in line.evidence[0]


async def test_r11_clocks_that_differ_are_told(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    now = SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda self: now(self) + timedelta(minutes=10))
    async with shop.serve() as url:
        line = (await looked(tmp_path, url, shop))["clock"]
    assert line.status == "failed"
    assert re.search(r"60\d s ahead of the API", line.evidence[0])


async def test_an_api_that_is_not_there_is_an_error(tmp_path: Path, shop: Shop) -> None:
    with pytest.raises(TransportError):
        await looked(tmp_path, "http://127.0.0.1:9", shop, **{"attempts: 5": "attempts: 1"})
