"""Writing to servers that nobody here wrote; what they then hold is read by other means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncline.engine import Report, arun
from syncline.rehearsal.shop import Faults, Shop
from syncline.spec import loads
from tests.real.independent import by_last_id, get
from tests.real.seeds import STRIPE_KEY
from tests.real.servers import serve_json_server
from tests.real.wiremock import RESETS, WireMock, document, fault
from tests.support.clock import SimulatedClock

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop-contacts.yaml"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def assert_done(report: Report) -> None:
    assert report.error is None
    assert (report.status, report.exit_code) == ("done", 0)
    assert report.account.adds_up


def as_contact(customer: Mapping[str, Any]) -> dict[str, Any]:
    """What the mapping in the example makes of a customer, said once more by hand."""
    return {
        "external_id": customer["id"],
        "email": customer["email"].strip().lower(),
        "name": f"{customer['first_name']} {customer['last_name']}",
        "country": customer["address"]["country"],
    }


async def test_the_shops_customers_become_contacts_of_json_server_and_stay_up_to_date() -> None:
    shop = Shop(orders=300, faults=Faults.none())
    with serve_json_server(
        {"contacts": [{"id": 900, "external_id": shop.goods.customers[3]["id"], "name": "Old"}]}
    ) as crm:
        async with shop.serve() as url:
            environment = {"SHOP_URL": url, "CRM_URL": crm}
            environment |= {"SHOP_CLIENT_ID": shop.tokens.client_id, "SHOP_CLIENT_SECRET": shop.tokens.client_secret}

            async def sync() -> tuple[int, int]:
                report = await arun(EXAMPLE, environment=environment, clock=SimulatedClock(datetime.now(UTC)))
                assert_done(report)
                return report.account.written, report.account.unchanged

            customers = shop.goods.customers
            assert await sync() == (len(customers), 0)
            assert await sync() == (0, len(customers))
            customers[5]["email"] = "  Somebody.New@Example.ORG "
            assert await sync() == (1, len(customers) - 1)
        held = get(f"{crm}/contacts")[0]
        assert {contact["external_id"]: contact for contact in held}[customers[3]["id"]]["id"] == 900
        without_ids = [{name: value for name, value in contact.items() if name != "id"} for contact in held]
        key = lambda contact: str(contact["external_id"])  # noqa: E731
        assert sorted(without_ids, key=key) == sorted(map(as_contact, customers), key=key)


def from_people(url: str, destination: dict[str, Any], into: dict[str, Any], **stream: Any) -> str:
    """An integration whose source is one document at `url`."""
    return yaml.safe_dump(
        {
            "name": "crm",
            "source": {"kind": "rest", "base_url": url},
            "streams": [{"name": "people", "path": "/people", "primary_key": "id", "into": into, **stream}],
            "destination": {"kind": "rest", **destination},
        }
    )


PEOPLE = [{"id": f"p{number}", "email": f"p{number}@stripe.example", "plan": "pro"} for number in range(6)]


async def test_stripes_forms_are_written(localstripe: str, wiremock: WireMock) -> None:
    wiremock.answer("/people", document(PEOPLE))
    into = {
        "create": "POST /v1/customers",
        "update": "POST /v1/customers/{id}",
        "delete": "DELETE /v1/customers/{id}",
        "encoding": "form",
        "idempotency_header": "Idempotency-Key",
        "body": {"email": "{email}", "metadata": {"external_id": "{id}", "plan": "{plan}"}},
    }
    destination = {"base_url": localstripe, "auth": {"kind": "bearer", "token": "${STRIPE_KEY}"}}
    deletes = {"missing": True, "max_ratio": "100%"}
    file = loads(from_people(wiremock.url, destination, into, deletes=deletes))
    before = {customer["id"] for customer in by_last_id(f"{localstripe}/v1/customers", STRIPE_KEY)}

    async def sync(people: list[dict[str, Any]]) -> dict[str, Any]:
        wiremock.reset()
        wiremock.answer("/people", document(people))
        assert_done(await arun(file, environment={"STRIPE_KEY": STRIPE_KEY}))
        held = by_last_id(f"{localstripe}/v1/customers", STRIPE_KEY)
        made = [customer for customer in held if customer["id"] not in before]
        return {customer["metadata"]["external_id"]: customer for customer in made}

    first = await sync(PEOPLE)
    assert {key: (held["email"], held["metadata"]["plan"]) for key, held in first.items()} == {
        person["id"]: (person["email"], "pro") for person in PEOPLE
    }
    changed = [{**person, "plan": "free"} if person["id"] == "p2" else person for person in PEOPLE]
    second = await sync(changed)
    assert {key: held["metadata"]["plan"] for key, held in second.items()} == {p["id"]: p["plan"] for p in changed}
    assert {key: held["id"] for key, held in second.items()} == {key: held["id"] for key, held in first.items()}
    assert set(await sync(changed[:2])) == {"p0", "p1"}
    assert await sync([]) == {}


@pytest.mark.parametrize("name", RESETS)
async def test_r6_every_way_of_hanging_up_is_met_with_the_same_key(wiremock: WireMock, name: str) -> None:
    wiremock.answer("/people", document(PEOPLE[:1]))
    wiremock.answer_in_turn("/contacts", [fault(name), fault(name), document({"id": 1}, 201)])
    into = {"create": "POST /contacts", "update": "ignore", "idempotency_header": "Idempotency-Key"}
    file = loads(from_people(wiremock.url, {"base_url": wiremock.url}, into))
    assert_done(await arun(file, clock=SimulatedClock(datetime.now(UTC))))
    sent = wiremock.requests("/contacts")
    assert len(sent) == 3
    assert len({request["headers"]["Idempotency-Key"] for request in sent}) == 1
    assert len({request["body"] for request in sent}) == 1


@pytest.mark.parametrize("name", RESETS)
async def test_r7_every_way_of_hanging_up_leaves_a_doubt_where_nobody_can_be_asked(
    wiremock: WireMock, name: str
) -> None:
    wiremock.answer("/people", document(PEOPLE[:1]))
    wiremock.answer("/contacts", fault(name))
    into = {"create": "POST /contacts", "update": "ignore"}
    file = loads(from_people(wiremock.url, {"base_url": wiremock.url}, into))
    for _ in range(2):
        report = await arun(file, full=True, clock=SimulatedClock(datetime.now(UTC)))
        assert (report.status, report.exit_code) == ("partial", 5)
        assert (report.account.in_doubt, report.account.adds_up) == (1, True)
    assert len(wiremock.requests("/contacts")) == 1
