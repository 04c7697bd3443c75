"""Several sources: what was answered outweighs what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncline.auth import ApiKey, Bearer, OAuth2
from syncline.generate.inference import Api, Entity, Guess, combine, discover, read, unknown
from syncline.model import Reference
from syncline.pagination import Cursor, PageNumber, Unpaged
from tests.generate.inference.small_apis import Shop, by_cursor, by_page
from tests.support.serving import serving

TOKEN = Bearer(token=Reference("${TOKEN}"))
PAGE, CURSOR = PageNumber(), Cursor(next="next", param="cursor")


def api(**entity: Any) -> Api:
    return Api(name="shop", entities=(Entity(name="orders", path="/orders", **entity),))


def pagination(first: Guess[Any], second: Guess[Any]) -> Guess[Any]:
    return combine(api(pagination=first), api(pagination=second)).entity("orders").pagination


def test_agreement_makes_surer() -> None:
    guess = pagination(Guess(PAGE, 0.8, ("told",)), Guess(PageNumber(), 0.9, ("seen",)))
    assert guess == Guess(PAGE, 0.98, ("seen", "told"))


def test_what_was_answered_outweighs_and_names_the_difference() -> None:
    guess = pagination(Guess(PAGE, 0.95, ("told",)), Guess(CURSOR, 0.97, ("seen",)))
    assert (guess.value, guess.confidence) == (CURSOR, 0.97)
    assert "a document says otherwise" in guess.evidence[-1]


def test_a_weak_sight_does_not_contradict() -> None:
    assert pagination(Guess(PAGE, 0.9), Guess(Unpaged(), 0.5)).value == PAGE


@pytest.mark.parametrize("turned", [False, True])
def test_the_known_fills_the_unknown(turned: bool) -> None:
    sides = (unknown("nothing"), Guess(PAGE, 0.7, ("told",)))
    assert pagination(*(reversed(sides) if turned else sides)).value == PAGE


def test_two_unknowns_stay_unknown_with_all_that_was_looked_for() -> None:
    guess = pagination(unknown("one"), unknown("two"))
    assert not guess.known
    assert guess.evidence == ("two", "one")


def auth(told: Guess[Any], seen: Guess[Any]) -> tuple[Guess[Any], ...]:
    return combine(Api(name="a", auth=(told,)), Api(name="a", auth=(seen,))).auth


def test_a_refusal_confirms_what_a_document_knows_better() -> None:
    key = ApiKey(key=Reference("${KEY}"), name="X-Key")
    assert auth(Guess(key, 0.8), unknown("401 came"))[0].value == key
    oauth = OAuth2(token_url="https://x.example/t", client_id="a", client_secret=Reference("${S}"))
    confirmed = auth(Guess(oauth, 0.8), Guess(oauth, 0.9, ("401 came",)))[0]
    assert confirmed.value == oauth
    assert confirmed.confidence == 0.98


def test_an_answer_without_credentials_outweighs_a_scheme() -> None:
    found = auth(Guess(TOKEN, 0.95), Guess(None, 0.95, ("it answers without",)))
    assert found[0].value is None
    assert found[1].value == TOKEN


def test_fields_of_both_are_kept_and_what_was_seen_counts() -> None:
    record = {
        "type": "object",
        "properties": {"id": {"type": "string", "description": "The id"}, "email": {"type": "string"}},
    }
    operation = {
        "get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": record}}}}}}
    }
    told = read(json.dumps({"openapi": "3.0.0", "paths": {"/orders": operation}}))
    entry = {
        "request": {"method": "GET", "url": "https://x.example/orders"},
        "response": {"status": 200, "content": {"mimeType": "application/json", "text": '[{"id": 7, "total": 1}]'}},
    }
    both = combine(told, read(json.dumps({"log": {"entries": [entry]}}))).entity("orders")
    fields = {field.path: field for field in both.fields}
    assert set(fields) == {"id", "email", "total"}
    assert (fields["id"].type, fields["id"].description) == ("integer", "The id")


async def test_a_document_is_tried_out_on_the_live_api() -> None:
    def document(url: str, *names: str) -> str:
        parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
        answer = {
            "content": {
                "application/json": {
                    "schema": {"type": "object", "properties": {"data": {"type": "array", "items": {"type": "object"}}}}
                }
            }
        }
        paths = {"/orders": {"get": {"parameters": parameters, "responses": {"200": answer}}}}
        return json.dumps(
            {"openapi": "3.0.0", "servers": [{"url": f"{url}/api/v2"}], "info": {"title": "Shop"}, "paths": paths}
        )

    async with serving(Shop(by_cursor)) as url:
        found = await discover([document(url, "page", "per_page"), f"{url}/api/v2"], rate="1000/s")
    entity = found.entity("orders")
    assert isinstance(entity.pagination.value, Cursor)
    assert any("a document says otherwise: {'kind': 'page'" in line for line in entity.pagination.evidence)
    assert found.title == "Shop"
    assert len(found.entities) == 1
    async with serving(Shop(by_page)) as url:
        found = await discover([document(url, "page", "per_page"), f"{url}/api/v2"], rate="1000/s")
    assert found.entity("orders").records.value == "."
    assert isinstance(found.entity("orders").pagination.value, PageNumber)
