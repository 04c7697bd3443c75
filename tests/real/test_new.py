"""From a document of a real server to a verified sync, without editing: new, check, test, run, and look at every record."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncline.cli import main
from syncline.engine import run
from syncline.spec import load
from tests.cli.conftest import ShopProcess
from tests.real.independent import by_last_id, by_link, by_token
from tests.real.seeds import STRIPE_KEY
from tests.support.landed import assert_landed

DOCUMENTS = Path(__file__).parents[1] / "generate/documents"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def project(name: str, address: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project made from a document whose server is at `address`; its tests pass, and it is the working directory."""
    text = (DOCUMENTS / f"{name}.yaml").read_text()
    told = next(line for line in text.splitlines() if line.startswith("servers:"))
    there = urlsplit(told.split('"')[1])
    Path("document.yaml").write_text(text.replace(f"{there.scheme}://{there.netloc}", address))
    assert main(["new", "--from", "document.yaml", "--no-input", "--volume", "1000/day", "--dir", "project"]) == 0
    monkeypatch.chdir("project")
    assert main(["check", "."]) == 0
    assert main(["test", "."]) == 0
    (file,) = Path().glob("*.yaml")
    return file


def synced(file: Path, **environment: str) -> dict[str, int]:
    """What was written of each stream; and that a second run finds nothing new, where records have a key to know them by."""
    first, second = run(file, environment=environment), run(file, environment=environment)
    assert (first.status, second.status) == ("done", "done")
    keyed = {stream.name for stream in load(file).streams if stream.into.write == "upsert"}
    assert keyed
    assert all(stream.account.written == 0 for stream in second.streams if stream.name in keyed)
    assert all(stream.account.adds_up for stream in (*first.streams, *second.streams))
    return {stream.name: stream.account.written for stream in first.streams}


def fields(*names: str) -> Any:
    return lambda record: {name: record[name] for name in names}


def test_datasette(datasette: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project("datasette", datasette, monkeypatch)
    assert synced(file) == {"readings": 960, "parcels": 500}
    readings = by_token(f"{datasette}/weather/readings.json?_shape=objects&_size=100", "rows", "next", "_next")
    assert_landed(
        Path("weather.db"), "readings", readings, ("station", "day"), fields("station", "day", "value", "note")
    )
    parcels = by_link(f"{datasette}/weather/parcels.json?_shape=array&_size=100")
    assert_landed(Path("weather.db"), "parcels", parcels, "id", fields("id", "weight", "label", "updated_at"))


def test_localstripe(localstripe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project("stripe", localstripe, monkeypatch)
    assert synced(file, STRIPE_TOKEN=STRIPE_KEY) == {"customers": 57, "charges": 87}
    database = Path(file).with_suffix(".db")
    customers = by_last_id(f"{localstripe}/v1/customers", STRIPE_KEY)
    assert_landed(database, "customers", customers, "id", fields("id", "object", "created", "email", "metadata"))
    charges = by_last_id(f"{localstripe}/v1/charges", STRIPE_KEY)
    names = ("id", "object", "amount", "currency", "created", "status")
    assert_landed(database, "charges", charges, "id", fields(*names))


def test_json_server(json_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project("blog", json_server, monkeypatch)
    assert synced(file) == {"posts": 137, "comments": 150}
    posts = by_link(f"{json_server}/posts?_page=1&_limit=50")
    assert_landed(Path("blog.db"), "posts", posts, "id", fields("id", "title"))
    comments = by_link(f"{json_server}/comments?_page=1&_limit=40")
    assert_landed(
        Path("blog.db"), "comments", comments, "id",
        lambda record: {"id": record["id"], "post_id": record["postId"], "body": record["body"]},
    )  # fmt: skip


@pytest.fixture
def shop() -> Iterator[ShopProcess]:
    running = ShopProcess("--calm", "--orders", "300")
    yield running
    running.close()


def test_the_practice_shop(shop: ShopProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project("shop", shop.ready["url"], monkeypatch)
    credentials = {
        "PRACTICE_SHOP_CLIENT_ID": shop.ready["client_id"],
        "PRACTICE_SHOP_CLIENT_SECRET": shop.ready["client_secret"],
    }
    report = run(file, environment=credentials)
    assert report.status == "done"
    assert report.streams[0].account.written == 300


def test_u1_an_unknown_api_takes_six_answers_and_less_than_five_minutes(
    localstripe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docs/how-to/new.md tells it."""
    began = time.monotonic()
    answers = iter(["Stripe", f"{localstripe}/v1/customers", "", "", "", "", "", "5000/day"])
    monkeypatch.setattr("syncline.cli.verbs.new.need_a_terminal", lambda: None)
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    monkeypatch.delenv("STRIPE_TOKEN", raising=False)
    Path(".env").write_text(f"STRIPE_TOKEN={STRIPE_KEY}\n")
    assert main(["new"]) == 0
    shown = capsys.readouterr().out
    assert "✓ stripe is written to stripe" in shown
    assert STRIPE_KEY not in shown
    monkeypatch.chdir("stripe")
    Path(".env").write_text(f"STRIPE_TOKEN={STRIPE_KEY}\n")
    for words in (["preview", "stripe.yaml", "-n", "1"], ["test", "stripe.yaml"], ["test", "stripe.yaml", "--record"]):
        assert main(words) == 0
    assert main(["run", "stripe.yaml", "--no-progress"]) == 0
    customers = list(by_last_id(f"{localstripe}/v1/customers", STRIPE_KEY))
    names = ("id", "object", "created", "email", "currency", "delinquent")
    with closing(sqlite3.connect("stripe.db")) as database:
        rows = database.execute(f"SELECT {', '.join(names)} FROM customers ORDER BY id").fetchall()
    assert rows == sorted(tuple(record[name] for name in names) for record in customers)
    assert not any(STRIPE_KEY in path.read_text() for path in Path("recordings").rglob("*.json"))
    assert time.monotonic() - began < 60
