"""Cursors, connections and links: what the answer before gave."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.errors import PaginationError
from syncline.model import Request
from syncline.pagination import Answer, Cursor, GraphQLConnection, Link, NextUrl, Pagination
from tests.pagination.walking import URL, ListServer, answer, asked, rows, walk
from tests.support.cost import assert_costs_at_most

counts = st.integers(0, 60)
crashes = st.integers(0, 6)
NEXT = {"next": "meta.next", "param": "cursor"}
QUERY = {"query": "query($after: String) { orders(after: $after) { nodes { id } } }", "variables": {"status": "any"}}


def cursor(**fields: Any) -> Cursor:
    return Cursor.model_validate(fields)


@given(count=counts, crash=crashes, fields=st.sampled_from([
    NEXT,
    {"next": "meta.next", "body_param": "page.cursor"},
    {**NEXT, "limit_param": "limit", "limit": 7},
    {**NEXT, "has_more": "meta.more"},
]))  # fmt: skip
def test_a_cursor_leads_through_the_whole_list(count: int, crash: int, fields: dict[str, Any]) -> None:
    server = ListServer(rows(count))

    def serve(request: Request) -> Answer:
        if "body_param" in fields and request.json is not None:
            request = request.with_params({"cursor": str(asked(request, "page.cursor"))})
        return server.by_cursor(request)

    done = walk(cursor(**fields), serve, crash_after=crash)
    assert done.records == rows(count) and not done.gaps and not done.notices


@given(count=counts, crash=crashes, more=st.booleans(), limit=st.sampled_from([None, 7, 10]))
def test_the_last_record_leads_to_the_next_page(count: int, crash: int, more: bool, limit: int | None) -> None:
    def serve(request: Request) -> Answer:
        begin, length = int(asked(request, "starting_after", -1)) + 1, int(asked(request, "limit", 10))
        found = rows(count)[begin : begin + length]
        return answer({"data": found, "has_more": begin + length < count}, found)

    size = {"limit_param": "limit", "limit": limit} if limit else {}
    flag = {"has_more": "has_more"} if more else {}
    done = walk(cursor(last_record="id", param="starting_after", **size, **flag), serve, crash_after=crash)
    assert done.records == rows(count)


def test_a_cursor_is_read_from_a_header() -> None:
    def serve(request: Request) -> Answer:
        begin = int(asked(request, "cursor", 0))
        found = rows(25)[begin : begin + 10]
        return answer(found, found, {"X-Next": str(begin + 10)} if begin + 10 < 25 else {})

    assert walk(cursor(next_header="x-next", param="cursor"), serve).records == rows(25)


@pytest.mark.parametrize("end", [None, "", False, 0, "0"])
def test_what_apis_write_at_the_end_ends_the_pass(end: Any) -> None:
    assert cursor(**NEXT).advance({}, answer({"meta": {"next": end}}, rows(3))) is None


def test_an_empty_page_that_leads_to_itself_is_the_end_and_one_that_leads_on_is_not() -> None:
    asking = cursor(**NEXT)
    assert asking.advance({"cursor": "c"}, answer({"meta": {"next": "c"}}, [])) is None
    assert asking.advance({"cursor": "c"}, answer({"meta": {"next": "d"}}, [])) == {"cursor": "d"}


def test_cursors_that_are_numbers_or_objects_arrive_as_they_came() -> None:
    key = {"pk": "a", "at": [Decimal("1.50"), 12345678901234567890123]}
    position = cursor(next="meta.next", body_param="start.key").advance({}, answer({"meta": {"next": key}}, rows(1)))
    assert position == {"cursor": key}
    request = cursor(next="meta.next", body_param="start.key").apply(Request(url=URL), position)
    assert request.json == {"start": {"key": key}}


@pytest.mark.parametrize("found", [True, {"a": 1}, ["a"]])
def test_a_cursor_that_no_parameter_can_carry_is_an_error(found: Any) -> None:
    with pytest.raises(PaginationError) as caught:
        cursor(**NEXT).advance({}, answer({"meta": {"next": found}}, rows(1)))
    assert caught.value.hint


@pytest.mark.parametrize("fields", [NEXT, {"last_record": "id", "param": "after"}])
def test_more_without_a_cursor_is_a_contradiction(fields: dict[str, Any]) -> None:
    with pytest.raises(PaginationError, match="more follows"):
        cursor(**fields, has_more="more").advance({}, answer({"more": True}, []))


def test_a_last_record_without_the_value_says_what_it_has() -> None:
    with pytest.raises(PaginationError) as caught:
        cursor(last_record="ident", param="after", has_more="more").advance(
            {}, answer({"more": True}, [{"identity": 1}])
        )
    assert "did you mean 'identity'" in str(caught.value.evidence)


def test_a_full_page_without_the_path_of_the_cursor_is_said() -> None:
    asking = cursor(**NEXT, limit_param="limit", limit=3)
    settled = asking.settle({}, answer({"meta": {"nxt": "c"}}, rows(3)))
    assert "did you mean 'nxt'" in str(settled.notice)
    assert asking.settle({}, answer({"meta": {"next": None}}, rows(3))).notice is None
    assert asking.settle({}, answer({"meta": {}}, rows(2))).notice is None


FOLLOWED = (
    Cursor(next="next", param="c", limit_param="limit", limit=10, total="total"),
    Cursor(last_record="id", param="after", has_more="more", total="total"),
    NextUrl(next="next", total="total"),
    Link(total_header="X-Total"),
    GraphQLConnection(connection="data.items", total="total"),
)


class Followed:
    """One list in every form that can be followed; `ends_after` pages it forgets to lead on."""

    def __init__(self, count: int, *, ends_after: int = 99, totals: Callable[[int], int | None] | None = None) -> None:
        self.rows, self.ends_after, self.totals = rows(count), ends_after, totals or (lambda page: count)

    def __call__(self, request: Request) -> Answer:
        self.page = page = getattr(self, "page", 0) + 1
        after = page * 10
        more = after < len(self.rows) and page < self.ends_after
        headers = {"Link": f'<?c={after}>; rel="next"'} if more else {}
        total = self.totals(page)
        if total is not None:
            headers["X-Total"] = str(total)
        info = {"hasNextPage": more, "endCursor": str(after)}
        document = {"next": f"?c={after}" if more else None, "more": more, "data": {"items": {"pageInfo": info}}}
        return answer({**document, "total": total}, self.rows[after - 10 : after], headers)


@pytest.mark.parametrize("asking", FOLLOWED, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("crash_after", [None, 1])
def test_r18_a_followed_list_that_ends_before_its_count_is_a_gap(asking: Pagination, crash_after: int | None) -> None:
    for first_page_only in (False, True):
        totals = (lambda page: 30 if page == 1 else None) if first_page_only else None
        done = walk(asking, Followed(30, totals=totals), crash_after=crash_after)
        assert done.records == rows(30) and not done.gaps and not done.notices
        short = walk(asking, Followed(30, ends_after=2, totals=totals), crash_after=crash_after)
        assert len(short.records) == 20
        assert "after 20 of the 30 records" in short.gaps[0]


@pytest.mark.parametrize("asking", FOLLOWED, ids=lambda one: type(one).__name__)
def test_a_count_that_comes_or_goes_while_a_list_is_followed_is_no_gap(asking: Pagination) -> None:
    """Records that are added behind us, or deleted before we come to them."""
    assert not walk(asking, Followed(30, totals=lambda page: 29 + page)).gaps
    assert not walk(asking, Followed(30, totals=lambda page: 33 - page)).gaps


@pytest.mark.parametrize("asking", FOLLOWED, ids=lambda one: type(one).__name__)
def test_a_count_that_is_not_where_the_file_says_is_said_once(asking: Pagination) -> None:
    done = walk(asking, Followed(30, totals=lambda page: None))
    assert done.records == rows(30) and not done.gaps
    assert len([notice for notice in done.notices if "there is no number" in notice or "has no number" in notice]) == 1


@pytest.mark.parametrize("asking", FOLLOWED, ids=lambda one: type(one).__name__)
def test_r21_counting_does_not_hide_a_loop(asking: Pagination) -> None:
    class Looping(Followed):
        def __call__(self, request: Request) -> Answer:
            self.page = 0
            return super().__call__(request)

    with pytest.raises(PaginationError):
        walk(asking, Looping(30), most=4)


@pytest.mark.parametrize(
    "fields", [{"param": "c"}, {"next": "n"}, {"next": "n", "last_record": "id", "param": "c"},
               {"next": "n", "param": "c", "body_param": "c"}, {"next": "n", "param": "c", "limit": 5}],
)  # fmt: skip
def test_a_cursor_needs_one_source_and_one_place(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        cursor(**fields)


@given(count=counts, crash=crashes, size=st.sampled_from([None, "first"]))
def test_a_connection_is_read_to_its_end(count: int, crash: int, size: str | None) -> None:
    def serve(request: Request) -> Answer:
        assert request.json["query"] == QUERY["query"] and request.json["variables"]["status"] == "any"
        begin = int(request.json["variables"].get("after", 0))
        found = rows(count)[begin : begin + request.json["variables"].get("first", 10)]
        end = begin + len(found)
        info = {"hasNextPage": end < count, "endCursor": str(end) if found else None}
        return answer({"data": {"orders": {"nodes": found, "pageInfo": info, "totalCount": count}}}, found)

    asking = GraphQLConnection.model_validate({"connection": "data.orders", "size_variable": size, "size": 4})
    done = walk(asking, serve, request=Request(method="POST", url=URL, json=QUERY), crash_after=crash)
    assert done.records == rows(count) and set(done.totals) == {count}
    assert QUERY["variables"] == {"status": "any"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"data": {"order": {}}}, "did you mean 'order'"),
        ({"data": None}, "is null"),
        ({"data": {"orders": {"pageInfo": {"hasNextPage": True, "endCursor": None}}}}, "None"),
        ({"data": {"orders": {"pageInfo": {"hasNextPage": True}}}}, "absent"),
        ({"data": {"orders": {"nodes": []}}}, "no 'pageInfo'"),
    ],
)
def test_a_connection_that_does_not_say_how_it_goes_on_is_an_error(document: Any, said: str) -> None:
    with pytest.raises(PaginationError) as caught:
        GraphQLConnection(connection="data.orders").advance({}, answer(document, []))
    assert said in str(caught.value.evidence) and "pageInfo" in str(caught.value.hint)


def linked(kind: str, target: str) -> tuple[Any, dict[str, str]]:
    return ({"links": {"next": target}}, {}) if kind == "next_url" else ([], {"Link": f'<{target}>; rel="next"'})


@given(
    count=counts, crash=crashes, kind=st.sampled_from(["next_url", "link"]), base=st.sampled_from([URL, "/items", ""])
)
def test_addresses_lead_through_the_whole_list(count: int, crash: int, kind: str, base: str) -> None:
    def serve(request: Request) -> Answer:
        begin = int(asked(request, "from", 0))
        assert request.target.startswith(URL)
        assert asked(request, "status") == "any" and asked(request, "per_page") == "10"
        found, more = rows(count)[begin : begin + 10], begin + 10 < count
        document, headers = linked(kind, f"{base}?status=any&per_page=10&from={begin + 10}") if more else ({}, {})
        return answer(document, found, headers, url=request.target)

    fields: dict[str, Any] = {"limit_param": "per_page", "limit": 10}
    asking: Pagination = NextUrl(next="links.next", **fields) if kind == "next_url" else Link(**fields)
    assert walk(asking, serve, crash_after=crash).records == rows(count)


@pytest.mark.parametrize(("found", "following"), [
    ("https://other.example/x", {"url": "https://other.example/x"}), ("?p=2", {"url": URL + "?p=2"}), ("", None), (None, None),
])  # fmt: skip
def test_a_next_address_is_resolved_against_the_page(found: Any, following: Any) -> None:
    assert NextUrl(next="next").advance({}, answer({"next": found}, [])) == following


def test_what_is_no_address_is_an_error_without_its_query() -> None:
    with pytest.raises(PaginationError) as caught:
        NextUrl(next="next").advance({}, answer({"next": {"href": "https://a.example/?key=canary"}}, []))
    assert "canary" not in caught.value.block() and "next.href" in str(caught.value.hint)
    with pytest.raises(PaginationError, match="cannot be read"):
        NextUrl(next="next").advance({}, answer({"next": "http://[::1"}, []))


def test_a_full_page_without_the_path_of_the_address_is_said() -> None:
    asking = NextUrl(next="links.next", limit_param="n", limit=2)
    assert "did you mean 'link'" in str(asking.settle({}, answer({"link": {}}, rows(2))).notice)
    assert asking.settle({}, answer({"links": {"next": None}}, rows(2))).notice is None


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('<https://a.example/?p=2>; rel="next"', "https://a.example/?p=2"),
        ('<?p=1>; rel="prev", <?p=3>; rel="next", <?p=9>; rel=last', URL + "?p=3"),
        ('<?p=2>; rel="alternate NEXT"', URL + "?p=2"),
        ("<?p=2>;rel=next", URL + "?p=2"),
        ('<?a=1,2;b>; title="a, <?no>; rel=\\"next\\""; rel="next"', URL + "?a=1,2;b"),
        ('<?p=1>; title="x; rel=next"', None),
        ('<?p=2>; rel="last"; rel="next"', None),  # RFC 8288, 3.3: the first rel counts
        ('<?p=2>; rel=next; anchor="https://elsewhere.example/"', None),  # 3.2: about another resource
        (f'<?p=2>; rel=next; anchor="{URL}"', URL + "?p=2"),
        (' , ,<?p=2> ; ; REL = "next" ;', URL + "?p=2"),
        ('<?p=2>; rel; rev="next"', None),
        ("", None),
        ("garbage", None),
        ('<?p=1>; rel="prev" nonsense, <?p=2>; rel="next"', URL + "?p=2"),
        ('<?p=1>; rel="nextpage"', None),
    ],
)
def test_link_headers_are_read_as_rfc_8288_has_them(header: str, url: str | None) -> None:
    found = Link().advance({}, answer([], rows(1), {"Link": header}))
    assert found == (None if url is None else {"url": url})


def test_several_link_headers_count_as_one() -> None:
    from syncline.model import Response

    headers = Response.headers_of([("Link", "<?p=1>; rel=prev"), ("Link", "<?p=3>; rel=next")])
    assert Link().advance({}, Answer(document=None, headers=headers, url=URL, records=[])) == {"url": URL + "?p=3"}


@given(header=st.text('<>;,="\\ relnxt?p2', max_size=200))
def test_no_link_header_breaks_or_stalls_the_reader(header: str) -> None:
    Link().advance({}, answer([], [], {"Link": header}))


def test_a_hostile_link_header_is_read_in_no_time() -> None:
    for piece in ('<a>;x="', "<a>;" + " ;" * 50, '<a>; rel="' + '\\"' * 50, "<", " " * 50, ',"'):
        page = answer([], [], {"Link": piece * (100_000 // len(piece))})
        assert_costs_at_most(0.25, lambda page=page: Link().advance({}, page))  # type: ignore[misc]
