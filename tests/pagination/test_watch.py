"""APIs that do not come to an end (R21), and those that do, however oddly."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from syncline.errors import PaginationError
from syncline.model import Request
from syncline.pagination import Answer, Cursor, GraphQLConnection, Link, NextUrl, Offset, PageNumber, Pagination, Watch
from tests.pagination.walking import URL, ListServer, answer, asked, rows, walk
from tests.support.cost import assert_costs_at_most

Serve = Callable[[Request], Answer]


def stalls(pagination: Pagination, serve: Serve, useful: int, request: Request | None = None) -> PaginationError:
    """The error that ends the pass, within two requests beyond the useful ones."""
    made = 0

    def counting(asking: Request) -> Answer:
        nonlocal made
        made += 1
        return serve(asking)

    with pytest.raises(PaginationError) as caught:
        walk(pagination, counting, request=request, most=50)
    assert made <= useful + 2
    assert caught.value.hint and caught.value.evidence
    return caught.value


def leading(to: Callable[[str | None, int], str], kind: str) -> tuple[Pagination, Serve]:
    """A server whose page n leads to `to(cursor asked for, n)`, in the spelling of each kind; its records are always new."""
    served = 0

    def serve(request: Request) -> Answer:
        nonlocal served
        served += 1
        found = rows(3, first=served * 10)
        given = asked(request, "c")
        if kind == "graphql":
            given = request.json["variables"].get("after")
        following = to(given, served)
        url = f"{URL}?c={following}&key=canary"
        info = {"hasNextPage": True, "endCursor": following}
        document = {"next": following, "url": url, "conn": {"pageInfo": info}}
        return answer(document, found, {"Link": f"<{url}>; rel=next", "X-Next": following}, request.target)

    kinds: dict[str, Pagination] = {
        "cursor": Cursor(next="next", param="c"),
        "body": Cursor(next="next", body_param="c"),
        "header": Cursor(next_header="X-Next", param="c"),
        "next_url": NextUrl(next="url"),
        "link": Link(),
        "graphql": GraphQLConnection(connection="conn"),
    }
    return kinds[kind], serve


CURSORS = ["cursor", "body", "header", "next_url", "link", "graphql"]
POST = Request(method="POST", url=URL, json={"variables": {}})


def base(kind: str) -> Request:
    return POST if kind in ("graphql", "body") else Request(url=URL)


@pytest.mark.parametrize("kind", CURSORS)
def test_r21_the_same_cursor_for_ever(kind: str) -> None:
    pagination, serve = leading(lambda given, served: "same", kind)
    error = stalls(pagination, serve, 1, base(kind))
    assert "again and again" in error.what and "canary" not in error.block()


@pytest.mark.parametrize("kind", CURSORS)
def test_r21_cursors_that_go_round_in_a_circle(kind: str) -> None:
    circle = {None: "A", "A": "B", "B": "A"}
    pagination, serve = leading(lambda given, served: circle[given], kind)
    error = stalls(pagination, serve, 3, base(kind))
    assert "circle" in error.what and "page 2" in str(error.evidence) and "canary" not in error.block()


@pytest.mark.parametrize("kind", CURSORS)
def test_r21_a_cursor_that_is_ignored_though_ever_new(kind: str) -> None:
    pagination, leading_on = leading(lambda given, served: f"c{served}", kind)

    def serve(request: Request) -> Answer:
        found = leading_on(request)
        return Answer(document=found.document, headers=found.headers, url=found.url, records=rows(3))

    assert "same records" in stalls(pagination, serve, 1, base(kind)).what


def test_r21_a_last_record_that_is_always_the_same() -> None:
    flagged = Cursor(last_record="id", param="after", has_more="more")
    stalls(flagged, lambda request: answer({"more": True}, rows(3)), 1)


@pytest.mark.parametrize("fields", [{}, {"total": "total"}, {"overlap": 3}, {"limit": None, "limit_param": None}])
def test_r21_an_offset_that_is_ignored(fields: dict[str, Any]) -> None:
    pagination = Offset.model_validate({"limit": 10, **fields})
    for total in (15, 1000):
        stalls(pagination, lambda request, total=total: answer({"total": total}, rows(10)), 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    "fields", [{}, {"total": "total"}, {"total_pages": "pages"}, {"size": None, "size_param": None}]
)
def test_r21_a_page_number_that_is_ignored(fields: dict[str, Any]) -> None:
    pagination = PageNumber.model_validate({"size": 10, **fields})
    for total in (15, 1000):
        document = {"total": total, "pages": -(-total // 10)}
        stalls(pagination, lambda request, document=document: answer(document, rows(10)), 1)  # type: ignore[misc]


def test_r21_the_last_page_repeated() -> None:
    def serve(request: Request) -> Answer:
        begin = min(int(asked(request, "page", 1)), 4) * 10
        return answer(None, rows(10, first=begin))

    assert "page 4" in str(stalls(PageNumber(size=10), serve, 4).evidence)


def test_r21_a_list_that_begins_anew() -> None:
    def serve(request: Request) -> Answer:
        begin = (int(asked(request, "page", 1)) - 1) % 4 * 10
        return answer(None, rows(10, first=begin))

    assert "page 2" in str(stalls(PageNumber(size=10), serve, 4).evidence)


class Quiet(msgspec.Struct):
    """A list that changes a little while it is read; `moves` adds (or deletes) records at its head before the n-th request."""

    ids: list[int]
    twice: set[int]
    moves: dict[int, int]
    size: int

    def server(self) -> ListServer:
        records: list[dict[str, Any]] = [{"id": number} for number in self.ids]
        for place in self.twice:  # R22: records that come twice
            records[place : place + 1] *= 2
        server = ListServer(records)
        for when, by in self.moves.items():
            server.before[when] = partial(self._move, by)
        return server

    @staticmethod
    def _move(by: int, records: list[Any]) -> None:
        records[: max(-by, 0)] = [{"id": -number - 1} for number in range(max(by, 0))]


quiet = st.builds(
    Quiet,
    ids=st.lists(st.integers(0, 10_000), unique=True, max_size=80),
    twice=st.sets(st.integers(0, 79), max_size=5),
    moves=st.dictionaries(st.sampled_from([2, 4, 6, 8]), st.integers(-3, 3), max_size=3),
    size=st.integers(4, 25),
)


@given(quiet=quiet, total=st.booleans())
def test_r21_no_legitimate_pass_is_stopped(quiet: Quiet, total: bool) -> None:
    where = {"total": "meta.total"} if total else {}
    walk(Offset.model_validate({"limit": quiet.size, **where}), quiet.server().by_offset)
    walk(PageNumber.model_validate({"size": quiet.size, **where}), quiet.server().by_page)
    walk(Cursor(next="meta.next", param="cursor", limit_param="limit", limit=quiet.size), quiet.server().by_cursor)


def test_many_empty_pages_with_new_cursors_are_no_stall() -> None:
    def serve(request: Request) -> Answer:
        number = int(asked(request, "c", 0))
        return answer({"next": number + 1 if number < 40 else None}, rows(2, number) if number % 20 == 0 else [])

    assert len(walk(Cursor(next="next", param="c"), serve).records) == 6


def test_watching_costs_little_time_and_memory() -> None:
    page = [{"id": number, "text": "x" * 200} for number in range(1000)]

    def watching() -> Watch:
        watch = Watch()
        for number in range(5_000):
            page[0] = {"id": -number}
            watch.check({"cursor": f"c{number}"}, answer(None, page), {"cursor": f"c{number + 1}"})
        return watch

    assert_costs_at_most(0.5, watching)
    tracemalloc.start()
    watch = watching()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert watch and size < 2_500_000
