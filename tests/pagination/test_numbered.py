"""Offset and page: where they end, how they go on, and lists that move meanwhile (R23)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.model import Request
from syncline.pagination import Offset, PageNumber, Unpaged
from tests.pagination.walking import URL, ListServer, answer, asked, rows, walk

counts = st.integers(0, 130)
lengths = st.integers(1, 25)
TOTAL: dict[str, Any] = {"total": "meta.total"}


def offset(limit: int = 10, **fields: Any) -> Offset:
    return Offset.model_validate({"limit": limit, **fields})


def page(size: int = 10, **fields: Any) -> PageNumber:
    return PageNumber.model_validate({"size": size, **fields})


@given(
    count=counts, limit=lengths, cap=st.none() | st.sampled_from([10, 20]), total=st.booleans(), crash=st.integers(0, 9)
)
def test_offset_delivers_each_record_once_also_after_a_crash_and_by_a_capping_server(
    count: int, limit: int, cap: int | None, total: bool, crash: int
) -> None:
    server = ListServer(rows(count), cap=cap)
    done = walk(offset(limit, **(TOTAL if total else {})), server.by_offset, crash_after=crash)
    assert [record["id"] for record in done.records] == list(range(count))
    assert not done.gaps


@given(count=counts, size=lengths, cap=st.none() | st.sampled_from([10, 20]), how=st.sampled_from([{}, TOTAL,
       {"total_pages": "meta.pages"}, {"total_header": "X-Total"}]), crash=st.integers(0, 9))  # fmt: skip
def test_page_delivers_each_record_once_also_after_a_crash_and_by_a_capping_server(
    count: int, size: int, cap: int | None, how: dict[str, Any], crash: int
) -> None:
    done = walk(page(size, **how), ListServer(rows(count), cap=cap).by_page, crash_after=crash)
    assert [record["id"] for record in done.records] == list(range(count))
    assert not done.gaps


@pytest.mark.parametrize(
    ("count", "fields", "requests"),
    [(0, TOTAL, 1), (7, TOTAL, 1), (10, TOTAL, 1), (30, TOTAL, 3), (31, TOTAL, 4), (7, {}, 1), (25, {}, 3), (0, {}, 1)],
)
def test_no_request_is_wasted(count: int, fields: dict[str, Any], requests: int) -> None:
    assert len(walk(offset(**fields), ListServer(rows(count)).by_offset).requests) == requests
    assert len(walk(page(**fields), ListServer(rows(count)).by_page).requests) == requests


def test_a_cap_of_unusual_length_is_seen_through_with_a_total() -> None:
    done = walk(offset(100, **TOTAL), ListServer(rows(50), cap=7).by_offset)
    assert len(done.records) == 50 and not done.gaps


def test_parameters_go_where_the_file_says() -> None:
    body = Request(method="POST", url=URL, json={"filter": {"a": 1}, "page": {"x": 2}})
    auth = offset(5, offset_param="page.from", limit_param="page.size", **{"in": "body"})
    assert auth.apply(body, {"offset": 5}).json == {"filter": {"a": 1}, "page": {"x": 2, "from": 5, "size": 5}}
    assert body.json == {"filter": {"a": 1}, "page": {"x": 2}}
    request = Request(url=URL, params=(("page", "9"), ("q", "a")))
    assert page(page_param="page", size_param=None).apply(request, {"page": 3}).params == (("q", "a"), ("page", "3"))


def test_counting_begins_where_the_file_says() -> None:
    def serve(request: Request) -> Any:
        begin = int(asked(request, "page")) * 10
        return answer(None, rows(25)[begin : begin + 10])

    assert len(walk(page(start=0), serve).records) == 25
    assert offset(start=1).start() == {"offset": 1}


@given(position=st.integers(0, 9), deleted=st.integers(1, 3))
@pytest.mark.parametrize("fields", [{}, TOTAL, {"overlap": 2, **TOTAL}, {"overlap": 3}, {"total_header": "X-Total"}])
def test_r23_a_deletion_while_paging_by_offset_is_never_silent(
    position: int, deleted: int, fields: dict[str, Any]
) -> None:
    server = ListServer(rows(30))

    def delete(records: list[Any]) -> None:
        del records[position : position + deleted]

    server.before[2] = delete
    done = walk(offset(**fields), server.by_offset)
    still_there = {record["id"] for record in server.records}
    missed = still_there - {record["id"] for record in done.records}
    assert done.gaps or done.notices
    assert not missed or done.gaps, "what was skipped makes a gap"


def test_r23_one_deletion_within_an_overlap_of_two_skips_nothing() -> None:
    server = ListServer(rows(30))
    server.before[2] = lambda records: records.pop(0)
    done = walk(offset(overlap=2), server.by_offset)
    assert [record["id"] for record in done.records] == list(range(30))
    assert not done.gaps and "deleted while paging" in done.notices[0]


@given(position=st.integers(0, 9), added=st.integers(1, 5))
@pytest.mark.parametrize("fields", [{}, {"overlap": 2}])
def test_r23_an_insertion_while_paging_is_said_and_its_repeats_are_dropped(
    position: int, added: int, fields: dict[str, Any]
) -> None:
    server = ListServer(rows(30))

    def insert(records: list[Any]) -> None:
        records[position:position] = rows(added, first=1_000)

    server.before[2] = insert
    done = walk(offset(**fields), server.by_offset)
    assert [record["id"] for record in done.records] == list(range(30))
    assert not done.gaps and f"{added} came again" in done.notices[0]


@pytest.mark.parametrize("pagination", [offset(**TOTAL), page(**TOTAL), page(total_pages="meta.pages")])
def test_r23_an_insertion_is_said_where_a_total_watches(pagination: Offset | PageNumber) -> None:
    server = ListServer(rows(30))
    server.before[2] = lambda records: records.insert(0, {"id": -1})
    serve = server.by_offset if isinstance(pagination, Offset) else server.by_page
    done = walk(pagination, serve)
    assert {record["id"] for record in done.records} >= set(range(30))
    assert not done.gaps and "added while paging" in done.notices[0]


@pytest.mark.parametrize(
    "pagination", [offset(**TOTAL), offset(), page(**TOTAL), page(total_pages="meta.pages"), page()]
)
@pytest.mark.parametrize("again", [2, 3])
def test_r21_a_page_that_comes_again_in_the_place_of_the_next_is_a_gap(
    pagination: Offset | PageNumber, again: int
) -> None:
    server = ListServer(rows(45))
    serve = server.by_offset if isinstance(pagination, Offset) else server.by_page
    answers: list[Any] = []

    def stale(request: Request) -> Any:
        answers.append(serve(request))
        return answers[-2] if len(answers) == again else answers[-1]

    assert walk(pagination, stale).gaps


@pytest.mark.parametrize(
    "pagination", [offset(**TOTAL), offset(), page(**TOTAL), page(total_pages="meta.pages"), page()]
)
@pytest.mark.parametrize("added", [1, 5, 9])
def test_r21_a_page_that_comes_again_moved_on_by_what_was_added_is_a_gap(
    pagination: Offset | PageNumber, added: int
) -> None:
    server = ListServer(rows(30))
    server.before[2] = lambda records: records.__setitem__(slice(0), rows(added, first=1_000))
    serve = server.by_offset if isinstance(pagination, Offset) else server.by_page
    asked_for: list[Request] = []

    def unheeding(request: Request) -> Any:
        asked_for.append(request)
        return serve(asked_for[0] if len(asked_for) == 2 else request)

    assert walk(pagination, unheeding).gaps


@pytest.mark.parametrize("pagination", [offset(**TOTAL), page(**TOTAL), page(total_pages="meta.pages"), page()])
@pytest.mark.parametrize("crash", [0, 2])
@pytest.mark.parametrize(("ignored", "added"), [(3, 0), (4, 0), (3, 3), (4, 8)])
def test_r21_the_first_page_that_comes_once_in_the_place_of_another_is_a_gap(
    pagination: Offset | PageNumber, ignored: int, added: int, crash: int
) -> None:
    server = ListServer(rows(43))
    server.before[ignored] = lambda records: records.__setitem__(slice(0), rows(added, first=1_000))
    serve = server.by_offset if isinstance(pagination, Offset) else server.by_page
    asked_for: list[Request] = []

    def unheeding(request: Request) -> Any:
        asked_for.append(request)
        return serve(asked_for[0] if len(asked_for) == ignored else request)

    assert "the first page came again" in walk(pagination, unheeding, crash_after=crash).gaps[0]


@pytest.mark.parametrize("pagination", [offset(**TOTAL), page(**TOTAL), page()])
@pytest.mark.parametrize("place", [25, 42])
def test_r22_the_first_record_of_a_list_may_come_twice(pagination: Offset | PageNumber, place: int) -> None:
    server = ListServer([*rows(place), *rows(1), *rows(45 - place, first=place)])
    serve = server.by_offset if isinstance(pagination, Offset) else server.by_page
    assert not walk(pagination, serve).gaps


@given(position=st.integers(0, 9), crash=st.integers(0, 3))
def test_r23_a_deletion_while_paging_by_number_is_a_gap_where_a_total_watches(position: int, crash: int) -> None:
    server = ListServer(rows(30))
    server.before[2] = lambda records: records.pop(position)
    done = walk(page(**TOTAL), server.by_page, crash_after=crash)
    assert "from 30 to 29" in done.gaps[0]


def test_r23_a_deletion_is_noticed_across_a_crash() -> None:
    server = ListServer(rows(30))
    server.before[2] = lambda records: records.pop(4)
    assert walk(offset(), server.by_offset, crash_after=1).gaps


def test_r23_a_deletion_behind_the_overlap_that_was_met_is_no_gap() -> None:
    server = ListServer(rows(30))
    server.before[2] = lambda records: records.pop(25)
    done = walk(offset(overlap=1, **TOTAL), server.by_offset)
    assert not done.gaps and "from 30 to 29" in done.notices[0] and len(done.records) == 29


def test_r23_a_record_that_was_changed_is_still_the_same_one() -> None:
    server = ListServer(rows(30))
    server.before[2] = lambda records: records.__setitem__(9, {"id": 9, "name": "changed"})
    done = walk(offset(), server.by_offset)
    assert not done.gaps and not done.notices


def test_records_without_id_are_known_by_their_key_or_their_content() -> None:
    server = ListServer([{"sku": f"s{number}", "stock": number} for number in range(30)])
    server.before[2] = lambda records: records.__setitem__(9, {"sku": "s9", "stock": 0})
    assert not walk(offset(key="sku"), server.by_offset).gaps
    server = ListServer([f"s{number}" for number in range(30)])
    assert walk(offset(), server.by_offset).records == server.records
    server = ListServer([{"name": "\ud800", "n": number} for number in range(30)])
    assert walk(offset(), server.by_offset).records == server.records


def test_a_list_that_ends_before_its_count_is_a_gap() -> None:
    serve = ListServer(rows(30)).by_offset

    def hiding(request: Request) -> Any:
        found = serve(request)
        return answer({"meta": {"total": 40}}, found.records)

    assert "after 30 of the 40" in walk(offset(**TOTAL), hiding).gaps[0]
    serve = ListServer(rows(30)).by_page
    assert "after 30 of the 40" in walk(page(**TOTAL), hiding).gaps[0]


@pytest.mark.parametrize("make", [offset, page])
def test_a_total_that_is_absent_is_said_with_what_is_there(make: Any) -> None:
    server = ListServer(rows(30))
    pagination = make(total="meta.totl")
    done = walk(pagination, server.by_offset if make is offset else server.by_page)
    assert len(done.records) == 30 and "did you mean 'total'" in done.notices[0]


@pytest.mark.parametrize("make", [offset, page])
def test_a_total_that_counts_only_its_page_is_said(make: Any) -> None:
    server = ListServer(rows(30))

    def serve(request: Request) -> Any:
        found = (server.by_offset if make is offset else server.by_page)(request)
        return answer({"meta": {"total": len(found.records)}}, found.records)

    assert "the page's own length" in walk(make(**TOTAL), serve).notices[0]


def test_an_overlap_larger_than_a_capped_page_still_goes_forward() -> None:
    done = walk(offset(100, overlap=50), ListServer(rows(60), cap=20).by_offset)
    assert [record["id"] for record in done.records] == list(range(60))


def test_one_answer_that_does_not_hold_everything_is_a_gap() -> None:
    done = walk(Unpaged.model_validate(TOTAL), ListServer(rows(30)).by_offset)
    assert len(done.records) == 10 and "10 of 30" in done.gaps[0]
    assert not walk(Unpaged(), ListServer(rows(30)).by_offset).gaps


@pytest.mark.parametrize(
    "data",
    [
        {"limit": 0},
        {"limit": 5, "overlap": 5},
        {"start": -1},
        {"in": "header"},
        {"total": "a..b"},
        {"offset_param": "[0]"},
    ],
)
def test_what_cannot_work_is_refused_when_the_file_is_read(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Offset.model_validate(data)


@pytest.mark.parametrize("kind", [Offset, PageNumber])
def test_parameters_may_be_written_with_brackets_in_the_query_alone(kind: type[Offset] | type[PageNumber]) -> None:
    first, second = ("offset_param", "limit_param") if kind is Offset else ("page_param", "size_param")
    names = {first: "page[number]", second: "page[size]"}
    part = kind.model_validate(names)
    sent = part.apply(Request(url="https://shop.example/orders"), part.start())
    assert {name for name, _ in sent.params} == {"page[number]", "page[size]"}
    with pytest.raises(ValidationError, match="is no path"):
        kind.model_validate({**names, "in": "body"})
