"""The lines about what the API saw: tokens, limits, retries."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.model import Rate
from syncline.rehearsal.checklist.findings import Findings, heard, many, some
from syncline.rehearsal.checklist.line import Line, failed, held, not_applicable
from syncline.rehearsal.checklist.programme import BURST, OUTAGE, PRESSED
from syncline.rehearsal.evidence import ActReport
from syncline.resilience import Retry

TOLD = {"429": 2.0, "429-date": 2.0}
"""Seconds that faults tell to wait at least; a date counts whole ones, so up to one of its three is lost."""
CLOSE = 0.01
LEAST = 0.05
"""The least share of what the waits of a few attempts may add up to, that they have to; jitter is full."""


def limits(found: Findings) -> Line:
    """The highest rate seen against each limit, over every act."""
    rates = found.source.rate_limit.limits
    if not rates:
        return not_applicable("limits", "the file sets no rate_limit; only what the API tells slows it down")
    wrong: list[str] = []
    evidence: list[str] = []
    for place, rate in enumerate(rates):
        acts = [act for act in found.acts.values() if len(act.limits) > place]
        for act in acts:
            wrong += _beyond(act, place)
        evidence.append(_nearest(max(acts, key=lambda act: _share(act, place)), place, rate))
    refusals = sum(seen.status == 429 and seen.fault is None for act in found.acts.values() for seen in act.seen)
    if refusals:
        wrong.append(f"{refusals:,} requests were refused with 429, because they were more than the API allows")
    wrong += found.problems("limits")
    if wrong:
        return failed("limits", *some(wrong), fix="look at rate_limit; the run must not ask for more than it says")
    ways = sorted({str(limit["counted"]) for act in found.acts.values() for limit in act.limits})
    pressed = found.acts.get(PRESSED)
    asked = f", {pressed.requests:,} of them as fast as they would go" if pressed else ""
    total = sum(act.requests for act in found.acts.values())
    return held("limits", *evidence, f"0 of {total:,} requests were refused{asked} ({', '.join(ways)})")


def _share(act: ActReport, place: int) -> float:
    """How much of a limit was used at most."""
    limit = act.limits[place]
    return float(limit["highest"] / limit["amount"])


def _beyond(act: ActReport, place: int) -> list[str]:
    limit = act.limits[place]
    if limit["highest"] <= limit["amount"]:
        return []
    short = act.name.partition(": ")[2]
    return [f"{limit['highest']:,} requests within {_span(limit['per'])}, {limit['amount']:,} are allowed ({short})"]


def _nearest(act: ActReport, place: int, rate: Rate) -> str:
    """The act that came nearest to a limit; where that is of a longer window, it was played in a shorter one."""
    limit = act.limits[place]
    told = f"at most {limit['highest']:,} requests in any {_span(limit['per'])} of {limit['amount']:,} allowed"
    if limit["amount"] != rate.amount:
        told += f", which is {rate.amount:,} in any {_span(rate.per)} in a window short enough to be come to"
    return told if _share(act, place) >= 1 else f"{told}; it was not come to"


def _span(seconds: float) -> str:
    named = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}
    return named.get(seconds, f"{seconds:g} s")


def retries(found: Findings) -> Line:
    """What fails is asked again: later and later, never earlier than told, and not without end."""
    retry = found.source.retry
    if retry.attempts == 1:
        return failed("retries", "retry.attempts is 1: nothing is asked again", fix="retry: {attempts: 5}")
    wrong = found.problems("retries")
    struck = [one for act in found.of("retries") if act.name not in (OUTAGE, BURST) for one in act.struck]
    wrong += [problem for act in found.of("retries") for problem in _too_early(act)]
    burst, backoff = _burst(found.acts.get(BURST), retry)
    wrong += burst
    outage, ended = _outage(found.acts.get(OUTAGE), retry, found.source.circuit_breaker.failures)
    wrong += outage
    if wrong:
        return failed("retries", *some(wrong))
    again = sum(one.asked_again is not None for one in struck)
    told = sum(one.fault in TOLD for one in struck)
    return held(
        "retries",
        f"{again} of {len(struck)} failures were asked again within the run; Retry-After was kept {told} of {told} times",
        backoff,
        ended,
    )


def _too_early(act: ActReport) -> Iterator[str]:
    """Requests that came after an API had said to wait, and before that time was over; those under way do not count."""
    for struck in act.struck:
        wait = TOLD.get(struck.fault)
        if wait is None:
            continue
        first = next(seen for seen in act.seen if seen.number == struck.request)
        told = first.at + first.delay
        for seen in act.seen:
            if seen.kind == first.kind and told < seen.at < told + wait - CLOSE:
                yield f"{struck.fault}: asked again after {seen.at - told:.1f} s, told to wait {wait:g} s"
                break


def _burst(act: ActReport | None, retry: Retry) -> tuple[list[str], str]:
    """Several failures in a row: the waits before the attempts, which the run has to have lasted for."""
    if act is None or not act.struck:
        return [], ""
    first = act.passes[0]
    again = list(heard(first, "RetryScheduled"))
    waits = [event["seconds"] for event in again]
    shown = ", ".join(f"{wait:.1f} s" if wait >= 0.1 else f"{wait * 1000:.0f} ms" for wait in waits)
    bounds = sum(min(retry.cap, retry.base * 2.0 ** (event["attempt"] - 2)) for event in again)
    if sum(waits) < LEAST * bounds or first.ended - first.began < max(waits, default=0.0):
        return [f"{len(act.struck)} failures in a row were asked again after {shown}: that is no backoff"], ""
    return [], f"{len(act.struck)} failures in a row: asked again after {shown}"


def _outage(act: ActReport | None, retry: Retry, failures: int) -> tuple[list[str], str]:
    """A longer outage: the run gives up in good time, the circuit opens, and a later run gets everything."""
    if act is None:
        return [], ""
    first = act.passes[0]
    asked = sum(seen.fault is not None and seen.at <= first.ended for seen in act.seen)
    most = max(retry.attempts, failures)
    opened = any(event["state"] == "open" for event in heard(first, "CircuitChanged"))
    wrong = []
    if asked > most:
        wrong.append(f"an API that was down was asked {asked} times, {most} are enough")
    if asked >= failures and not opened:
        wrong.append(f"{asked} failures in a row, and the circuit breaker did not open")
    if wrong:
        return wrong, ""
    how = "the circuit opened" if opened else f"exit code {first.exit_code}"
    return [], f"an outage: left alone after {many(asked, 'request')} ({how}), and made up for by the next run"
