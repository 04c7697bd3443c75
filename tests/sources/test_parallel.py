"""Slices and known pages are read side by side: the same records as one after another, from any checkpoint, and nothing unseen."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings, strategies as st

from syncline.errors import ServerError
from syncline.model import Checkpoint, Page, Request, Response
from syncline.sources import Endpoint, Reader, Rest
from syncline.sources.lanes import Frontier

PAGE = 3
REGIONS = ["eu", "us", "ap", "af", "sa"]
CURSOR = {"kind": "cursor", "next": "next", "param": "cursor"}
BY_NUMBER = {"kind": "page", "size": PAGE, "total": "total"}
BY_OFFSET = {"kind": "offset", "limit": PAGE, "total": "total"}
OVERLAPPING = {**BY_OFFSET, "overlap": 1}


class Api:
    """Lists by path and region behind a network of our own; `delay` says after how many turns of the loop an answer comes."""

    def __init__(self, lists: dict[str, list[dict[str, Any]]], delay: Callable[[], int] = lambda: 0) -> None:
        self.lists, self.delay = lists, delay
        self.asked: list[str] = []
        self.under_way = self.most = 0
        self.on_request: Callable[[str], None] = lambda target: None
        self.broken: set[str] = set()

    async def send(self, request: Request) -> Response:
        target = request.target.removeprefix("http://127.0.0.1:1")
        self.asked.append(target)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.on_request(target)
        try:
            for _ in range(self.delay()):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        status, document = (500, {}) if target in self.broken else (200, self.answer(target))
        headers = Response.headers_of({"Date": "Thu, 26 Nov 2026 10:00:00 GMT"})
        return Response(status=status, headers=headers, body=json.dumps(document).encode(), url=request.url)

    def answer(self, target: str) -> dict[str, Any]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = self.lists[parts.path + query.get("region", "")]
        if parts.path == "/shops":
            return {"data": found}
        begin = int(query.get("cursor", query.get("offset", (int(query.get("page", "1")) - 1) * PAGE)))
        end = begin + PAGE
        return {"data": found[begin:end], "total": len(found), "next": str(end) if end < len(found) else None}


class Waves(Api):
    """Answers what is under way all at once, each time when nobody has anything left to do: `waves` counts latencies."""

    waves = 0

    async def send(self, request: Request) -> Response:
        coming = asyncio.get_running_loop().create_future()
        self.waiting.append(coming)
        if len(self.waiting) == 1:
            asyncio.get_running_loop().create_task(self._wave())
        await coming
        return await super().send(request)

    async def _wave(self) -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        self.waves += 1
        coming, self.waiting[:] = list(self.waiting), []
        for one in coming:
            if not one.done():
                one.set_result(None)

    def __init__(self, lists: dict[str, list[dict[str, Any]]]) -> None:
        super().__init__(lists)
        self.waiting: list[asyncio.Future[None]] = []


@asynccontextmanager
async def reading(api: Api, *endpoints: Endpoint, **source: Any) -> AsyncIterator[Reader]:
    rest = Rest.model_validate({"base_url": "http://127.0.0.1:1", "retry": {"attempts": 1}, **source})
    async with rest.open({one.name: one for one in endpoints}, transport=api.send) as reader:
        yield reader


def endpoint(pagination: dict[str, Any], **more: Any) -> Endpoint:
    return Endpoint.model_validate(
        {"name": "orders", "path": "/orders", "records": "data", "primary_key": "id", "pagination": pagination, **more}
    )


def numbered(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"id": first + n, "at": f"2026-01-01T00:00:{(first + n) % 60:02}Z"} for n in range(count)]


def by_region(sizes: list[int]) -> dict[str, list[dict[str, Any]]]:
    return {
        f"/orders{region}": numbered(size, 100 * n) for n, (region, size) in enumerate(zip(REGIONS, sizes, strict=True))
    }


PARTED = {"partitions": {"param": "region", "values": REGIONS}}


async def whole(reader: Reader, stream: Endpoint, checkpoint: Checkpoint | None = None) -> list[Page]:
    return [page async for page in reader.pages(stream, checkpoint or Checkpoint(), remember=False)]


def ids(pages: list[Page]) -> list[int]:
    return sorted(record["id"] for page in pages for record in page.records)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 11), min_size=5, max_size=5),
    pagination=st.sampled_from([CURSOR, BY_NUMBER, BY_OFFSET, OVERLAPPING]),
    parallel=st.integers(1, 7),
    resumed_by=st.integers(1, 7),
    seed=st.integers(0, 10_000),
)
def test_r1_side_by_side_gives_what_one_after_another_gives_and_goes_on_from_every_page(
    sizes: list[int], pagination: dict[str, Any], parallel: int, resumed_by: int, seed: int
) -> None:
    async def compare() -> None:
        chance = random.Random(seed)
        api = Api(by_region(sizes), lambda: chance.randint(0, 12))
        incremental = {"cursor": "at", "param": "since"}
        one, many, again = (
            endpoint(pagination, parallel=width, incremental=incremental, **PARTED)
            for width in (1, parallel, resumed_by)
        )
        async with reading(api, one) as reader:
            serial = await whole(reader, one)
            api.most = 0
            side_by_side = await whole(reader, many)
            assert api.most <= parallel
            assert ids(side_by_side) == ids(serial)
            assert side_by_side[-1].checkpoint == serial[-1].checkpoint
            assert [page.number for page in side_by_side] == list(range(1, len(serial) + 1))
            place = chance.randrange(len(side_by_side) - 1)
            rest = await whole(reader, again, side_by_side[place].checkpoint)
            assert ids(side_by_side[: place + 1] + rest) == ids(serial)
            assert rest[-1].checkpoint == serial[-1].checkpoint

    asyncio.run(compare())


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(7, 30),
    pagination=st.sampled_from([BY_NUMBER, BY_OFFSET]),
    changes=st.dictionaries(st.integers(0, 12), st.sampled_from(["insert", "delete"]), max_size=3),
    seed=st.integers(0, 10_000),
)
def test_r23_a_list_that_moves_under_many_readers_is_never_silently_incomplete(
    count: int, pagination: dict[str, Any], changes: dict[int, str], seed: int
) -> None:
    async def read() -> None:
        chance = random.Random(seed)
        found = numbered(count)
        api = Api({"/orders": found}, lambda: chance.randint(0, 12))
        stayed = {record["id"] for record in found}

        def move(target: str) -> None:
            what = changes.get(len(api.asked) - 1)
            if what == "insert":
                found.insert(0, {"id": 1_000 + len(api.asked), "at": ""})
            elif what == "delete" and len(found) > 1:
                stayed.discard(found.pop(0)["id"])

        api.on_request = move
        stream = endpoint(pagination, parallel=6)
        async with reading(api, stream) as reader:
            pages = await whole(reader, stream)
        unseen = stayed - {record["id"] for page in pages for record in page.records}
        assert pages[-1].gap is not None or not unseen
        if "delete" not in changes.values():
            assert pages[-1].gap is None and not unseen  # what is only added to costs nothing, as one after another

    asyncio.run(read())


@pytest.mark.parametrize(("parallel", "least"), [(8, 6), (16, 11)])
async def test_known_pages_partitions_and_children_hide_the_latency(parallel: int, least: int) -> None:
    regions = [f"r{n}" for n in range(200)]
    few = {"param": "region", "values": regions[:parallel]}
    parents = endpoint({"kind": "none"}, name="shops", path="/shops")
    shops = {"stream": "shops", "key": "id", "as": "shop"}
    for stream, lists in (
        (endpoint(BY_NUMBER), {"/orders": numbered(600)}),
        (endpoint(BY_OFFSET), {"/orders": numbered(600)}),
        (endpoint(CURSOR, partitions={**few, "values": regions}), {f"/orders{one}": numbered(2) for one in regions}),
        (endpoint(CURSOR, partitions=few), {f"/orders{one}": numbered(36) for one in regions}),
        (
            endpoint(CURSOR, path="/shops/{shop}", parent=shops),
            {"/shops": numbered(200)} | {f"/shops/{n}": numbered(2) for n in range(200)},
        ),
    ):
        api = Waves(lists)
        async with reading(api, parents, stream, rate_limit={"concurrency": parallel}) as reader:
            await whole(reader, stream)
        assert len(api.asked) / api.waves >= least, (stream, len(api.asked), api.waves)
        assert api.most <= parallel


async def test_a_page_that_fails_ends_the_pass_behind_everything_before_it() -> None:
    api = Api(by_region([9, 9, 9, 9, 9]), lambda: 1)
    api.broken = {"/orders?region=ap&cursor=3"}
    stream = endpoint(CURSOR, parallel=4, **PARTED)
    pages: list[Page] = []
    async with reading(api, stream) as reader:
        with pytest.raises(ServerError) as caught:
            async for page in reader.pages(stream, Checkpoint()):
                pages.append(page)
        assert caught.value.where["page"] == 2 and caught.value.where["region"] == "ap"
        assert set(range(9)) | set(range(100, 109)) | {200, 201, 202} <= set(ids(pages))
        api.broken.clear()
        api.asked.clear()
        rest = await whole(reader, stream, pages[-1].checkpoint)
        assert "/orders?region=eu" not in api.asked and "/orders?region=us" not in api.asked
        assert ids(pages + rest) == sorted(n for region in range(5) for n in range(100 * region, 100 * region + 9))


async def test_one_lane_goes_on_where_many_slices_were_read_ahead_by_many() -> None:
    api = Api(by_region([90, 1, 1, 1, 1]), lambda: 1)
    many, one = (endpoint(CURSOR, parallel=width, **PARTED) for width in (5, 1))
    pages: list[Page] = []
    async with reading(api, many) as reader:
        coming = reader.pages(many, Checkpoint())
        while set(ids(pages)) & {100, 200, 300, 400} != {100, 200, 300, 400}:
            pages.append(await anext(coming))
        await coming.aclose()
        api.asked.clear()
        rest = await asyncio.wait_for(whole(reader, one, pages[-1].checkpoint), 20)
    assert ids(pages + rest) == [*range(90), 100, 200, 300, 400]
    assert all("region=eu" in target for target in api.asked)


def test_slices_that_are_done_already_take_no_room() -> None:
    """However many of them stand one after another, the next one may begin: nobody is left who would make room."""
    beyond = [{"partition": number, "done": True} for number in range(1, 30)]
    frontier = Frontier({"partition": 0, "page": {"cursor": "3"}, "beyond": beyond})
    frontier.begin({"partition": 0}, {"partition": 0, "page": {"cursor": "3"}})
    frontier.delivered(1, {"partition": 0, "done": True})
    for number in range(1, 30):
        assert frontier.room(1)
        assert frontier.begin({"partition": number}, None) == (number + 1, {"partition": number, "done": True})
    assert frontier.delivered(30, {"partition": 30, "page": {"cursor": "3"}}) == {
        "partition": 30,
        "page": {"cursor": "3"},
    }


async def test_a_known_page_that_fails_is_told_when_its_turn_comes() -> None:
    api = Api({"/orders": numbered(60)}, lambda: 1)
    api.broken = {"/orders?page=5&per_page=3"}
    stream = endpoint(BY_NUMBER, parallel=8)
    pages: list[Page] = []
    async with reading(api, stream) as reader:
        with pytest.raises(ServerError):
            async for page in reader.pages(stream, Checkpoint()):
                pages.append(page)
    assert ids(pages) == list(range(12)) and api.under_way == 0


@pytest.mark.parametrize(
    "stream", [endpoint(CURSOR, parallel=4, **PARTED), endpoint(BY_NUMBER, path="/many", parallel=4)]
)
async def test_whoever_does_not_take_pages_is_not_flooded_with_them(stream: Endpoint) -> None:
    api = Api({**by_region([90, 90, 90, 90, 90]), "/many": numbered(300)})
    async with reading(api, stream) as reader:
        coming = reader.pages(stream, Checkpoint())
        await anext(coming)
        await anext(coming)
        for _ in range(1_000):
            await asyncio.sleep(0)
        assert len(api.asked) <= 2 + 3 * 4  # taken, in line, and one more in every lane
        await coming.aclose()
        assert api.under_way == 0


async def test_r24_the_time_of_the_pass_is_known_before_anything_else_is_asked_for() -> None:
    api = Api(by_region([3, 3, 3, 3, 3]), lambda: 20)
    stream = endpoint(CURSOR, parallel=4, incremental={"cursor": "at", "param": "since"}, **PARTED)
    alone: list[int] = []
    api.on_request = lambda target: alone.append(api.under_way)
    async with reading(api, stream) as reader:
        await whole(reader, stream)
        assert alone[:2] == [1, 1] and max(alone) == 4


async def test_r21_a_page_parameter_that_is_ignored_costs_two_requests_with_a_total_too() -> None:
    api = Api({"/orders": numbered(60)})
    answer = api.answer
    api.answer = lambda target: answer("/orders?page=1")  # type: ignore[method-assign]
    stream = endpoint(BY_NUMBER, parallel=16)
    async with reading(api, stream) as reader:
        with pytest.raises(Exception, match="same records again"):
            await whole(reader, stream)
    assert len(api.asked) == 3


@pytest.mark.parametrize("pagination", [BY_NUMBER, BY_OFFSET, {"kind": "page", "size": PAGE}])
@pytest.mark.parametrize(("place", "stale"), [(4, 2), (5, 3), (5, 1)])
async def test_r21_any_page_that_comes_in_the_place_of_a_later_one_is_a_gap(
    pagination: dict[str, Any], place: int, stale: int
) -> None:
    api = Api({"/orders": numbered(6 * PAGE)})
    answer = api.answer

    def unheeding(target: str) -> dict[str, Any]:
        begin = f"?page={stale}" if pagination["kind"] == "page" else f"?offset={(stale - 1) * PAGE}"
        return answer(f"/orders{begin}" if len(api.asked) == place else target)

    api.answer = unheeding  # type: ignore[method-assign]
    async with reading(api, stream := endpoint(pagination, parallel=1)) as reader:
        pages = await whole(reader, stream)
    assert pages[-1].gap and set(ids(pages)) == {*range(6 * PAGE)} - {*range((place - 1) * PAGE, place * PAGE)}


async def test_a_look_at_the_first_pages_asks_for_no_others() -> None:
    api = Api({"/orders": numbered(60)})
    stream = endpoint(BY_NUMBER, parallel=8)
    async with reading(api, stream) as reader:
        coming = reader.pages(stream, Checkpoint(), ahead=False)
        for _ in range(3):
            await anext(coming)
        await coming.aclose()
    assert len(api.asked) == 3


@pytest.mark.parametrize("pagination", [BY_NUMBER, BY_OFFSET])
async def test_r23_what_an_early_answer_shows_of_deletions_is_not_forgotten_when_it_is_asked_for_again(
    pagination: dict[str, Any],
) -> None:
    api = Api({"/orders": numbered(3 * PAGE)})

    def move(target: str) -> None:
        if len(api.asked) == 2:  # two go that were read, when the second page is asked for before its time
            del api.lists["/orders"][:2]
        if len(api.asked) == 4:  # and more come at the end, before it is asked for again
            api.lists["/orders"] += numbered(4, 100)

    api.on_request = move
    async with reading(api, stream := endpoint(pagination)) as reader:
        pages = await whole(reader, stream)
    found = {record["id"] for page in pages for record in page.records}
    assert not {record["id"] for record in api.lists["/orders"]} <= found
    assert "deleted while paging" in str(pages[-1].gap)


@pytest.mark.parametrize("pagination", [CURSOR, {"kind": "page", "size": PAGE, "total": "total"}])
@pytest.mark.parametrize("key", [("id",), ()])
async def test_r22_what_the_page_before_had_word_for_word_comes_once_where_records_have_a_key(
    pagination: dict[str, Any], key: tuple[str, ...]
) -> None:
    api = Api({"/orders": numbered(3 * PAGE)})

    def move(target: str) -> None:
        if (
            len(api.asked) == 2
        ):  # a record is added in front; by a cursor, which leads to a place, that is the same here
            api.lists["/orders"][0:0] = numbered(1, 100)

    api.on_request = move
    async with reading(api, stream := endpoint(pagination, primary_key=key, parallel=1)) as reader:
        pages = await whole(reader, stream)
    found = [record["id"] for page in pages for record in page.records]
    assert found == ([*range(9)] if key else [0, 1, 2, 2, *range(3, 9)])
    assert sum(page.repeated for page in pages) == (1 if key else 0)
