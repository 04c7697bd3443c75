"""Why an API refuses a record, and what a batch's answer says of each: the shapes that are in use."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies as st

from syncline.destinations import Target
from syncline.destinations.api.answers import Answers, Verdict
from syncline.destinations.api.faults import fault_of
from syncline.errors import AuthError, BodyError
from syncline.model import Request, Response, encode_json

FAULTS: dict[str, tuple[Any, tuple[str, str]]] = {
    "stripe": (
        {"error": {"type": "invalid_request_error", "code": "email_invalid", "param": "email", "message": "Invalid email"}},
        ("email", "email_invalid: Invalid email"),
    ),
    "json:api": (
        {"errors": [{"status": "422", "title": "Invalid", "detail": "is taken", "source": {"pointer": "/data/attributes/email"}}]},
        ("email", "is taken"),
    ),
    "rails": ({"errors": {"email": ["has already been taken"], "age": ["is not a number"]}},
              ("email", "has already been taken; age: is not a number")),
    "a field called title": ({"errors": {"title": ["can't be blank"]}}, ("title", "can't be blank")),
    "google": (
        {"error": {"code": 400, "message": "Invalid argument", "status": "INVALID_ARGUMENT",
                   "details": [{"fieldViolations": [{"field": "contact.email", "description": "must be an address"}]}]}},
        ("contact.email", "must be an address"),
    ),
    "salesforce": (
        [{"message": "duplicate value found", "errorCode": "DUPLICATE_VALUE", "fields": ["Email__c", "Name"]}],
        ("Email__c", "DUPLICATE_VALUE: duplicate value found"),
    ),
    "salesforce composite": (
        {"httpStatusCode": 400, "referenceId": "r1", "body": [{"message": "bad value", "errorCode": "INVALID", "fields": []}]},
        ("", "INVALID: bad value"),
    ),
    "rfc 9457": (
        {"type": "https://api.example/problems/validation", "title": "Your request is not valid", "status": 422,
         "errors": [{"detail": "must be positive", "pointer": "#/age"}]},
        ("age", "must be positive"),
    ),
    "github": (
        {"message": "Validation Failed", "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}]},
        ("title", "missing_field"),
    ),
    "hubspot": (
        {"status": "error", "message": "Property values were not valid", "category": "VALIDATION_ERROR",
         "errors": [{"message": "is not an email", "context": {"propertyName": ["email"]}}]},
        ("email", "is not an email"),
    ),
    "zendesk": (
        {"error": "RecordInvalid", "description": "Record validation errors",
         "details": {"email": [{"description": "Email: x is already being used", "error": "DuplicateValue"}]}},
        ("email", "DuplicateValue: Email: x is already being used"),
    ),
    "fastapi": ({"detail": [{"loc": ["body", "email"], "msg": "field required", "type": "value_error.missing"}]},
                ("email", "value_error.missing: field required")),
    "graphql": ([{"field": ["input", "email"], "message": "is invalid"}], ("email", "is invalid")),
    "microsoft": ({"error": {"code": "BadRequest", "message": "Property is invalid", "target": "mail"}},
                  ("mail", "BadRequest: Property is invalid")),
    "a text": ("no such plan", ("", "no such plan")),
    "a message": ({"message": "no"}, ("", "no")),
    "nothing": (None, ("", "")),
    "a record": ({"id": 5, "email": "x"}, ("", "")),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_r28_the_apis_own_reason_is_read_with_its_field(name: str):
    document, told = FAULTS[name]
    assert fault_of(document) == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["errors", "error", "message", "detail", "field", "loc", "body", "source", "pointer", "x", "status"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON)
def test_whatever_an_api_answers_is_read_without_an_exception(document: Any):
    path, reason = fault_of(document)
    assert len(path) <= 200
    assert len(reason) <= 300
    for count in (1, 3):
        target = Target.model_validate({"batch_create": "POST /x/batch", "reference": "ref" if count == 3 else None})
        with suppress(BodyError):
            verdicts = Answers(target, lambda text: text).of_batch(
                "create", REQUEST, answer(document, 207), ["a", "b", "c"]
            )
            assert verdicts is not None
            assert len(verdicts) == 3


REQUEST = Request(method="POST", url="https://crm.example/contacts/batch")


def answer(document: Any, status: int = 200) -> Response:
    body = encode_json(document)
    return Response(status=status, headers=Response.headers_of({}), body=body, url=REQUEST.url)


def batch(into: dict[str, Any], document: Any, status: int = 200, *references: str) -> list[Verdict]:
    target = Target.model_validate({"batch_create": "POST /contacts/batch", **into})
    verdicts = Answers(target, lambda text: text.replace("hunter2", "***")).of_batch(
        "create", REQUEST, answer(document, status), references or ("a", "b", "c")
    )
    assert verdicts is not None
    return verdicts


def fates(verdicts: list[Verdict]) -> list[tuple[str, Any]]:
    return [(v.fate, v.remote_id if v.fate == "confirmed" else v.reason) for v in verdicts]


def test_207_with_a_status_in_each_result():
    results = [
        {"status": 201, "id": 1},
        {"status": 422, "error": {"message": "no"}},
        {"status": 409, "message": "twice"},
    ]
    told = [("confirmed", 1), ("rejected", "the API answered 422: no"), ("rejected", "the API answered 409: twice")]
    assert fates(batch({"results": "results"}, {"results": results}, 207)) == told
    assert fates(batch({}, {"results": results}, 207)) == told
    assert fates(batch({}, results, 207)) == told


def test_salesforce_collections_and_composite():
    rolled = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "rolled back", "fields": []}
    collection = [
        {"id": "001", "success": True, "errors": []},
        {"success": False, "errors": [{"statusCode": "DUPLICATE_VALUE", "message": "twice", "fields": ["Email"]}]},
        {"success": False, "errors": [{**rolled, "errorCode": rolled["statusCode"]}]},
    ]
    assert [v.fate for v in batch({}, collection)] == ["confirmed", "rejected", "refused"]
    composite = {
        "compositeResponse": [
            {"body": {"id": "003", "success": True, "errors": []}, "httpStatusCode": 201, "referenceId": "c"},
            {"body": [{"message": "bad", "errorCode": "X"}], "httpStatusCode": 400, "referenceId": "a"},
            {"body": {"id": "002"}, "httpStatusCode": 201, "referenceId": "b"},
        ]
    }
    found = batch({"results": "compositeResponse", "reference": "referenceId"}, composite)
    assert fates(found) == [("rejected", "the API answered 400: X: bad"), ("confirmed", "002"), ("confirmed", "003")]


def test_microsoft_graph_and_elasticsearch():
    graph = {"responses": [{"id": "b", "status": 200, "body": {"id": "B"}}, {"id": "a", "status": 424, "body": {}},
                           {"id": "c", "status": 400, "body": {"error": {"code": "BadRequest", "message": "no"}}}]}  # fmt: skip
    found = batch({"results": "responses", "reference": "id", "id": "body.id"}, graph)
    assert [v.fate for v in found] == ["refused", "confirmed", "rejected"]
    items = [
        {"index": {"_id": "1", "status": 201}},
        {"index": {"_id": "2", "status": 429}},
        {"index": {"_id": "3", "status": 400, "error": {"type": "mapping", "reason": "bad"}}},
    ]
    found = batch({"results": "items", "id": "_id"}, {"errors": True, "items": items})
    assert [v.fate for v in found] == ["confirmed", "refused", "rejected"]


def test_successes_and_errors_in_lists_of_their_own():
    by_context = {
        "results": [{"id": 1, "ref": "a"}],
        "errors": [{"message": "no", "context": {"ref": ["b"]}}],
    }
    found = batch({"results": "results", "reference": "ref"}, by_context, 207)
    assert [v.fate for v in found] == ["confirmed", "rejected", "unknown"]
    by_place = {
        "data": [{"id": 1}, {"id": 3}],
        "errors": [{"detail": "no", "source": {"pointer": "/data/1/attributes/x"}}],
    }
    assert fates(batch({"results": "data"}, by_place, 207)) == [("confirmed", 1), ("rejected", "no"), ("confirmed", 3)]


def test_a_records_own_status_is_not_the_results():
    assert fates(batch({}, [{"id": 1, "status": "failed"}, {"id": 2, "status": "active"}, {"id": 3, "success": True}])) == [
        ("confirmed", 1), ("confirmed", 2), ("confirmed", 3),
    ]  # fmt: skip
    where = {"result_status": "outcome", "result_error": None}
    assert [v.fate for v in batch(where, [{"outcome": "ok"}, {"outcome": "failed"}, {"outcome": "500"}])] == [
        "confirmed", "rejected", "unknown",
    ]  # fmt: skip


def test_r18_results_that_are_not_where_they_should_be_are_no_success():
    with pytest.raises(BodyError) as told:
        batch({"results": "result"}, {"results": [{"id": 1}] * 3})
    assert "did you mean results: results?" in str(told.value.hint)
    with pytest.raises(BodyError, match="without a list of results"):
        batch({}, {"ok": True})
    few = batch({}, [{"id": 1}])
    assert [(v.fate, v.again) for v in few] == [("unknown", False)] * 3


def test_updates_and_deletes_may_be_answered_without_results_but_not_with_errors():
    target = Target.model_validate({"batch_update": "PATCH /contacts/batch"})
    answers = Answers(target, lambda text: text)
    plain = answers.of_batch("update", REQUEST, answer({"message": "done"}), ["a", "b"])
    assert [v.fate for v in plain or ()] == ["confirmed", "confirmed"]
    errors = {"message": "1 failed", "errors": [{"message": "no", "index": 1}]}
    told = answers.of_batch("update", REQUEST, answer(errors), ["a", "b"])
    assert [v.fate for v in told or ()] == ["unknown", "rejected"]


def test_a_batch_refused_as_a_whole_is_to_be_divided():
    target = Target.model_validate({"batch_create": "POST /contacts/batch"})
    answers = Answers(target, lambda text: text)
    assert answers.of_batch("create", REQUEST, answer({"message": "row 2 is bad"}, 400), ["a", "b"]) is None
    alone = answers.of_batch("create", REQUEST, answer({"message": "bad"}, 400), ["a"])
    assert alone is not None
    assert fates(alone) == [("rejected", "the API answered 400: bad")]
    barred = answers.of_batch("create", REQUEST, answer({"message": "no"}, 403), ["a", "b"])
    assert [v.fate for v in barred or ()] == ["barred", "barred"]
    with pytest.raises(AuthError):
        answers.of_batch("create", REQUEST, answer({"message": "who?"}, 401), ["a", "b"])


def test_s9_a_secret_in_the_apis_words_is_not_repeated():
    (found,) = batch({}, [{"status": 400, "message": "token hunter2 may not"}], 207, "a")
    assert found.reason == "the API answered 400: token *** may not"


def single(
    into: dict[str, Any], document: Any, status: int = 201, operation: Any = "create", **headers: str
) -> Verdict:
    target = Target.model_validate({"create": "POST /contacts", **into})
    response = Response(
        status=status,
        headers=Response.headers_of(headers),
        body=b"" if document is None else encode_json(document),
        url=REQUEST.url,
    )
    return Answers(target, lambda text: text).of_single(operation, REQUEST, response, placed=True)


@pytest.mark.parametrize(
    ("into", "document", "remote_id"),
    [
        ({}, {"id": 5}, 5),
        ({}, {"data": {"id": "a"}}, "a"),
        ({"wrap": "contact"}, {"contact": {"id": 7}}, 7),
        ({"answer": "payload.person", "id": "meta.key"}, {"payload": {"person": {"meta": {"key": "k"}}}}, "k"),
        ({}, {"id": ""}, None),
        ({}, {"id": True}, None),
        ({}, None, None),
    ],
)
def test_the_created_records_id_is_read(into: dict[str, Any], document: Any, remote_id: Any):
    assert single(into, document).remote_id == remote_id


def test_an_id_may_stand_in_the_location():
    assert single({}, None, Location="https://crm.example/contacts/a%20b/").remote_id == "a b"


@pytest.mark.parametrize(
    ("status", "operation", "fate"),
    [
        (400, "create", "rejected"), (409, "create", "rejected"), (422, "update", "rejected"), (412, "update", "rejected"),
        (404, "update", "missing"), (410, "update", "missing"), (404, "delete", "confirmed"), (410, "delete", "confirmed"),
        (403, "create", "barred"), (402, "update", "barred"), (405, "delete", "barred"), (415, "create", "barred"),
        (408, "create", "unknown"), (425, "create", "refused"), (429, "create", "refused"), (423, "update", "rejected"),
    ],
)  # fmt: skip
def test_what_a_status_means_for_its_record(status: int, operation: str, fate: str):
    assert single({}, {"message": "m"}, status, operation).fate == fate


def test_the_file_may_say_what_a_status_means():
    into = {"on_status": {403: "reject", 409: "ignore", 423: "retry", 400: "fail"}}
    told = {status: single(into, {"message": "m"}, status).fate for status in (403, 409, 423, 400)}
    assert told == {403: "rejected", 409: "confirmed", 423: "refused", 400: "barred"}


def test_success_that_speaks_of_failure_is_none():
    assert single({}, {"success": False, "errors": ["no"]}, 200).fate == "rejected"
    assert single({}, {"id": 1, "success": False}, 200).fate == "confirmed"
    assert single({"result_error": "problems"}, {"id": 1, "problems": [{"message": "no"}]}, 200).reason == "no"
    assert single({"result_error": "problems"}, {"id": 1, "problems": []}, 200).fate == "confirmed"


@pytest.mark.parametrize(
    ("document", "status", "fate"),
    [
        ({"data": {"make": {"contact": {"id": 1}, "userErrors": []}}}, 200, "confirmed"),
        ({"data": {"make": {"contact": None, "userErrors": [{"message": "no"}]}}}, 200, "rejected"),
        ({"data": {"make": {"contact": {"id": 1}}}, "errors": [{"message": "a detail is missing"}]}, 200, "confirmed"),
        ({"data": {"make": None}, "errors": [{"message": "no"}]}, 200, "rejected"),
        ({"errors": [{"message": "syntax"}]}, 200, "barred"),
        ({"errors": [{"message": "syntax"}]}, 400, "barred"),
        ({"data": None, "errors": [{"message": "x", "extensions": {"code": "FORBIDDEN"}}]}, 200, "barred"),
        ({"data": None, "errors": [{"message": "x", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, 200, "unknown"),
    ],
)
def test_what_a_mutation_says(document: Any, status: int, fate: str):
    target = Target.model_validate({"create": "mutation($input: I!) { make }", "answer": "data.make.contact"})
    answers = Answers(target, lambda text: text, graphql=True)
    verdict = answers.of_single("create", REQUEST, answer(document, status), placed=False)
    assert verdict.fate == fate
    assert verdict.fate != "barred" or verdict.error is not None


def test_a_mutation_without_a_session_is_about_credentials():
    answers = Answers(Target(), lambda text: text, graphql=True)
    document = {"errors": [{"message": "who?", "extensions": {"code": "UNAUTHENTICATED"}}]}
    with pytest.raises(AuthError):
        answers.of_single("create", REQUEST, answer(document), placed=False)


@pytest.mark.parametrize(
    ("kind", "body", "fate"),
    [
        ("text/html", b"<h1>back soon</h1>", "unknown"),
        ("application/octet-stream", b"<!DOCTYPE html><title>proxy</title>", "unknown"),
        ("application/json", b'{"id": 7, "na', "unknown"),
        ("application/json", b'{"id": 7}', "confirmed"),
        ("application/json", b"null", "confirmed"),
        ("text/plain", b"OK", "confirmed"),
        ("application/json", b"", "confirmed"),
    ],
)
def test_r18_an_answer_of_success_that_says_nothing_is_no_success(kind: str, body: bytes, fate: str):
    request = Request(method="PATCH", url="https://crm.example/contacts/7")
    response = Response(status=200, headers=Response.headers_of({"Content-Type": kind}), body=body, url=request.url)
    found = Answers(Target(), str)
    assert found.of_single("update", request, response, placed=True).fate == fate
    if fate == "unknown":
        assert [one.fate for one in found.of_batch("update", request, response, ["a", "b"]) or ()] == [fate, fate]
