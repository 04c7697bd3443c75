"""How many at once, where nothing is documented."""

from __future__ import annotations

from itertools import pairwise

from syncline.resilience import Concurrency


def round_trip(concurrency: Concurrency, seconds: float = 0.1, *, trouble: bool = False, most: int = 1000) -> int:
    """Send all that may go, and let all be answered."""
    numbers = [concurrency.sent() for _ in range(min(concurrency.free, most))]
    for number in numbers:
        concurrency.answered(number, seconds, trouble=trouble)
    return len(numbers)


def test_it_grows_while_it_is_used_up_and_all_goes_well():
    concurrency = Concurrency(None, adaptive=True)
    sizes = [round_trip(concurrency) for _ in range(30)]
    assert sizes[0] == 10
    assert sizes == sorted(sizes)
    assert sizes[-1] == 100


def test_it_does_not_grow_without_need():
    concurrency = Concurrency(None, adaptive=True)
    for _ in range(50):
        round_trip(concurrency, most=5)
    assert concurrency.free == 10


def test_a_storm_of_refusals_halves_it_once_and_growth_is_slow_afterwards():
    concurrency = Concurrency(None, adaptive=True)
    assert round_trip(concurrency, trouble=True) == 10
    assert concurrency.free == 5
    sizes = [round_trip(concurrency) for _ in range(10)]
    assert all(later - earlier <= 1 for earlier, later in pairwise(sizes))
    assert sizes[-1] > 10


def test_it_never_ends_at_nothing():
    concurrency = Concurrency(None, adaptive=True)
    for _ in range(20):
        round_trip(concurrency, trouble=True)
    assert concurrency.free == 1


def test_an_api_that_slows_down_gets_fewer_and_never_fewer_than_four_for_that():
    concurrency = Concurrency(None, adaptive=True)
    for _ in range(5):
        round_trip(concurrency, 0.1)
    before = concurrency.free
    sizes = [round_trip(concurrency, 2.0) for _ in range(100)]
    assert sizes[-1] < before
    assert min(sizes) >= 4


def test_what_the_file_says_is_kept_to():
    concurrency = Concurrency(3, adaptive=False)
    for trouble in (True, False, True):
        assert round_trip(concurrency, trouble=trouble) == 3


def test_a_documented_rate_is_enough():
    concurrency = Concurrency(None, adaptive=False)
    for _ in range(1000):
        concurrency.sent()
    assert concurrency.free > 1000
