"""The examples against real servers: every record arrives once, compared by key and content with what another loop reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncline.engine import Report, arun
from tests.real.independent import by_last_id, by_link, by_token, get
from tests.real.seeds import STRIPE_KEY
from tests.support.landed import assert_landed, rows

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def assert_done(report: Report) -> None:
    assert report.error is None
    assert report.status == "done"
    assert report.exit_code == 0
    for stream in report.streams:
        assert stream.status == "done"
        assert stream.account.adds_up


def counts(report: Report) -> dict[str, tuple[int, int, int]]:
    """Records read, written and unchanged, by stream."""
    return {s.name: (s.account.read, s.account.written, s.account.unchanged) for s in report.streams}


async def test_datasette_by_cursor_and_by_link(datasette: str, tmp_path: Path) -> None:
    file, environment = EXAMPLES / "datasette.yaml", {"DATASETTE_URL": datasette}
    report = await arun(file, environment=environment)
    assert_done(report)
    assert counts(report) == {"readings": (960, 960, 0), "parcels": (500, 500, 0)}

    readings = by_token(f"{datasette}/weather/readings.json?_shape=objects&_size=100", "rows", "next", "_next")
    assert_landed(tmp_path / "datasette.db", "readings", readings, ("station", "day"))
    parcels = list(by_link(f"{datasette}/weather/parcels.json?_shape=array&_size=100"))
    assert_landed(
        tmp_path / "datasette.db", "parcels", parcels, "id", lambda record: {**record, "label": record["label"].upper()}
    )

    again = await arun(file, environment=environment)
    assert_done(again)
    newest = max(record["updated_at"] for record in parcels)
    at_the_boundary = sum(record["updated_at"] == newest for record in parcels)
    assert counts(again) == {"readings": (960, 0, 960), "parcels": (at_the_boundary, 0, at_the_boundary)}


async def test_json_server_by_link_by_page_and_below_parents(json_server: str, tmp_path: Path) -> None:
    report = await arun(EXAMPLES / "json-server.yaml", environment={"JSON_SERVER_URL": json_server})
    assert_done(report)
    assert counts(report) == {
        "posts": (137, 137, 0), "comments": (150, 150, 0), "post_comments": (150, 150, 0), "nobody": (0, 0, 0),
    }  # fmt: skip

    database = tmp_path / "json-server.db"
    comments = list(by_link(f"{json_server}/comments?_page=1&_limit=40"))
    assert_landed(database, "posts", by_link(f"{json_server}/posts?_page=1&_limit=50"), "id")
    assert_landed(database, "comments", comments, "id")
    assert_landed(
        database, "post_comments", comments, "id",
        lambda record: {"id": record["id"], "post": record["postId"], "body": record["body"].upper()},
    )  # fmt: skip


@pytest.mark.parametrize("credential", ["bearer", "basic"])
async def test_localstripe_by_last_record(
    localstripe: str, tmp_path: Path, credential: str, integration_text: Callable[[str], str]
) -> None:
    text = integration_text("localstripe.yaml")
    if credential == "basic":
        bearer = 'auth: {kind: bearer, token: "${STRIPE_KEY}"}'
        assert bearer in text
        text = text.replace(bearer, 'auth: {kind: basic, username: "${STRIPE_KEY}", password: ""}')
    file = tmp_path / "localstripe.yaml"
    file.write_text(text)
    report = await arun(file, environment={"STRIPE_URL": localstripe, "STRIPE_KEY": STRIPE_KEY})
    assert_done(report)

    database = tmp_path / "stripe.db"
    customers = list(by_last_id(f"{localstripe}/v1/customers", STRIPE_KEY))
    charges = list(by_last_id(f"{localstripe}/v1/charges", STRIPE_KEY))
    assert_landed(database, "customers", customers, "id", _customer)
    assert_landed(database, "charges", charges, "id")
    owned: dict[str, list[Any]] = defaultdict(list)
    for customer in customers:
        address = f"{localstripe}/v1/customers/{customer['id']}/sources"
        for card in get(address, {"Authorization": f"Bearer {STRIPE_KEY}"})[0]["data"]:
            owned[customer["id"]].append({**card, "customer": customer["id"]})
    cards = [card for mine in owned.values() for card in mine]
    assert len(cards) == 29
    assert_landed(database, "cards", cards, "id")
    assert counts(report) == {"customers": (57, 57, 0), "charges": (87, 87, 0), "cards": (29, 29, 0)}


def _customer(record: Any) -> dict[str, Any]:
    return {
        "id": record["id"],
        "email": record["email"],
        "plan": record["metadata"]["plan"],
        "seat": int(record["metadata"]["seat"]),
        "created_at": datetime.fromtimestamp(record["created"], UTC).isoformat(),
    }


async def test_a_wrong_key_ends_as_a_credentials_error(localstripe: str) -> None:
    report = await arun(EXAMPLES / "localstripe.yaml", environment={"STRIPE_URL": localstripe, "STRIPE_KEY": "guess"})
    assert report.status == "failed"
    assert report.exit_code == 4
    assert report.error and report.error["code"] == "auth"
    assert "guess" not in str(report.to_data())


async def test_r18_a_wrong_record_path_is_never_a_silent_zero(
    datasette: str, tmp_path: Path, integration_text: Callable[[str], str]
) -> None:
    file = tmp_path / "datasette.yaml"
    text = integration_text("datasette.yaml")
    assert "records: rows" in text
    file.write_text(text.replace("records: rows", "records: row"))
    report = await arun(file, environment={"DATASETTE_URL": datasette})
    assert report.status == "failed"
    assert report.error and "did you mean records: rows" in report.error["hint"]
    assert [stream.status for stream in report.streams] == ["failed", "done"]
    assert len(rows(tmp_path / "datasette.db", "parcels")) == 500


async def test_the_server_says_the_same_before_and_after(json_server: str) -> None:
    """The reading changes nothing: every request is a GET."""
    before = get(f"{json_server}/db")[0]
    await arun(EXAMPLES / "json-server.yaml", environment={"JSON_SERVER_URL": json_server})
    assert get(f"{json_server}/db")[0] == before
