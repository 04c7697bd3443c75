"""The circuit: opens after failures in a row, lets exactly one probe through."""

from __future__ import annotations

from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from syncline.resilience import Breaker, CircuitBreaker


def fail(breaker: Breaker, now: float, times: int = 1) -> None:
    for _ in range(times):
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.failed(ticket, now, "503")


def test_it_opens_after_failures_in_a_row():
    breaker = Breaker(CircuitBreaker())
    fail(breaker, 0.0, 4)
    assert breaker.state == "closed"
    fail(breaker, 1.0)
    assert breaker.state == "open"
    assert breaker.opens_in(11.0) == 20.0


def test_a_success_between_starts_the_count_afresh():
    breaker = Breaker(CircuitBreaker())
    for _ in range(100):
        fail(breaker, 0.0, 4)
        breaker.succeeded(breaker.admit(0.0))
    assert breaker.state == "closed"


def test_old_failures_are_forgotten():
    breaker = Breaker(CircuitBreaker())
    for number in range(100):
        fail(breaker, number * 16.0)
    assert breaker.state == "closed"


def test_r15_one_probe_exactly_of_a_hundred_callers_and_none_while_open():
    breaker = Breaker(CircuitBreaker())
    fail(breaker, 0.0, 5)
    assert [breaker.admit(29.9) for _ in range(100)] == [None] * 100
    tickets = [breaker.admit(30.0) for _ in range(100)]
    probes = [ticket for ticket in tickets if ticket is not None]
    assert len(probes) == 1
    breaker.failed(probes[0], 31.0, "503")
    assert [breaker.admit(60.9) for _ in range(100)] == [None] * 100
    probe = breaker.admit(61.0)
    assert probe is not None
    breaker.succeeded(probe)
    assert breaker.state == "closed"
    assert all(breaker.admit(61.0) is not None for _ in range(100))


def test_r15_a_probe_that_nobody_finished_gives_its_place_to_the_next():
    breaker = Breaker(CircuitBreaker())
    fail(breaker, 0.0, 5)
    probe = breaker.admit(30.0)
    assert breaker.admit(30.0) is None
    breaker.abandoned(probe)
    assert breaker.admit(30.0) is not None
    assert breaker.admit(30.0) is None


def test_r15_late_answers_from_before_change_nothing():
    breaker = Breaker(CircuitBreaker())
    late = [breaker.admit(0.0) for _ in range(3)]
    fail(breaker, 0.0, 5)
    breaker.succeeded(late[0])
    assert breaker.state == "open"
    probe = breaker.admit(30.0)
    breaker.failed(late[1], 30.0, "late")
    breaker.abandoned(late[2])
    assert breaker.state == "half_open"
    assert breaker.admit(30.0) is None
    breaker.succeeded(probe)
    assert breaker.state == "closed"


@given(st.integers(1, 20))
def test_it_takes_exactly_as_many_failures_as_the_file_says(failures):
    breaker = Breaker(CircuitBreaker(failures=failures))
    fail(breaker, 0.0, failures)
    assert breaker.state == "open"


class Machine(RuleBasedStateMachine):
    """Whatever happens in whatever order: nothing goes while it is open, one at most while it is half open."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(CircuitBreaker(failures=3))
        self.now = 0.0
        self.tickets: list[tuple[int, str]] = []

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def ask(self) -> None:
        opens = self.breaker.opens_in(self.now)
        ticket = self.breaker.admit(self.now)
        if ticket is not None:
            assert opens == 0
            self.tickets.append((ticket, self.breaker.state))

    @rule(index=st.integers(0, 100), how=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def finish(self, index: int, how: str) -> None:
        if self.tickets:
            ticket, _ = self.tickets.pop(index % len(self.tickets))
            if how == "failed":
                self.breaker.failed(ticket, self.now, "503")
            else:
                getattr(self.breaker, how)(ticket)

    @invariant()
    def one_probe(self) -> None:
        if self.breaker.state == "half_open":
            current = max((ticket for ticket, state in self.tickets if state == "half_open"), default=None)
            probes = [ticket for ticket, state in self.tickets if state == "half_open" and ticket == current]
            assert len(probes) <= 1


TestBreaker = Machine.TestCase
