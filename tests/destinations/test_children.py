"""Lists as tables of their own: whatever comes, the tables hold the last lists. What else they must do is in the suite."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from syncline.testing.lists import elements, items, rows, write
from tests.destinations.conformance import SqliteBench


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.one_of(st.none(), st.lists(st.sampled_from("abc"), max_size=4))), max_size=5
        ),
        max_size=4,
    )
)
async def test_whatever_comes_the_tables_hold_the_last_lists(tmp_path_factory: Any, batches: list[Any]):
    bench = SqliteBench(tmp_path_factory.mktemp("lists"))
    meant: dict[int, list[str]] = {}
    for found in batches:
        last = dict(found)
        await write(bench, rows(*((key, 0, items(*(skus or ""))) for key, skus in last.items())))
        meant |= {key: list(skus or ()) for key, skus in last.items()}
    wanted = [(key, place, sku) for key, skus in sorted(meant.items()) for place, sku in enumerate(skus)]
    assert elements(bench) == wanted
