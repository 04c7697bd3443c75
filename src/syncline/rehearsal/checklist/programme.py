"""Which acts are played for which lines, for this integration: few records, several faults an act, so that it takes seconds."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from syncline.model import Rate
from syncline.rehearsal.acting import Act
from syncline.rehearsal.plan import page_size, places
from syncline.rehearsal.simulator.faults import Fault, faults
from syncline.sources import HttpSource
from syncline.spec import Integration, Stream

PLAIN = "pages: nothing goes wrong"
"""The act that most lines look at."""
VOLUME = "volume: as many records as in production"
BURST = "retries: three failures in a row"
OUTAGE = "retries: an outage"
REFUSED = "tokens: the credential is refused"
LOOP = "pages: a loop"
PRESSED = "limits: as many requests as will go"
RIVALS = "resume: two runners at once"
AWAY = "resume: the destination goes away"

STRIKES_AT = 2
"""The page that leads back to itself."""
FEWEST, MOST = 24, 700
"""Records of a stream in an ordinary act."""
PRESSING = 2_500
"""Records that are worth making to come to a limit."""
TOGETHER = 25
"""Records that are written together at most, so that few of them take several batches."""
QUICK = 0.04
"""What of the usual time an answer takes from an API that nothing but its limits slows down."""


def acts(integration: Integration, seed: int, lines: Collection[str], volume: int | None) -> Iterator[Act]:
    """The acts that these lines need, each named by its line first."""
    needed = {name for name in lines if name != "volume"}
    if needed & {"pages", "limits", "logs", "secrets"}:
        yield _act(PLAIN, integration, seed)
    if "limits" in needed:
        yield from _pressed(integration, seed)
    for name, struck in _STRUCK.items():
        concerned = tuple(
            fault for fault in struck if fault.place in places(integration) and type(fault).concerns(integration)
        )
        if name.partition(":")[0] in needed and (concerned or not struck):
            yield _act(name, integration, seed, concerned)
    if "volume" in lines and volume:
        yield Act(name=VOLUME, seed=seed, sizes=spread(integration, volume), changes=0)


def _act(name: str, integration: Integration, seed: int, struck: tuple[Fault, ...] = ()) -> Act:
    sizes = {stream.name: few(stream) for stream in integration.streams}
    survives = name != OUTAGE and all(fault.fate == "survived" for fault in struck)
    return Act(name=name, seed=seed, sizes=sizes, faults=struck, together=TOGETHER, survives=survives)


def few(stream: Stream) -> int:
    """As many records as take three pages."""
    return max(FEWEST, min(MOST, round(2.3 * page_size(stream))))


def roots(integration: Integration) -> list[Stream]:
    """The streams whose size is not that of another."""
    return [stream for stream in integration.streams if not stream.parents and not stream.single]


def spread(integration: Integration, records: int) -> dict[str, int]:
    """So many records in all, shared by the streams."""
    streams = roots(integration) or list(integration.streams)
    return {stream.name: max(1, records // len(streams)) for stream in streams}


def pressed(integration: Integration) -> Integration:
    """The same with limits that as many requests as are worth making come to: a longer window is shortened, at the same rate."""
    source = integration.source
    assert isinstance(source, HttpSource)
    streams = roots(integration)
    if not streams or source.rate_limit.cost is not None:  # points are not requests
        return integration
    most = max(2, sum(PRESSING // len(streams) // page_size(stream) for stream in streams) * 2 // 3)
    limits = tuple(_shortened(rate, most) for rate in source.rate_limit.limits)
    if limits == source.rate_limit.limits:
        return integration
    within = source.rate_limit.model_copy(update={"limits": limits})
    return integration.model_copy(update={"source": source.model_copy(update={"rate_limit": within})})


def _shortened(rate: Rate, most: int) -> Rate:
    return rate if rate.amount <= most else Rate(most, rate.per * most / rate.amount)


def _pressed(integration: Integration, seed: int) -> Iterator[Act]:
    """Requests without end against an API that answers at once: only the limiter slows them down."""
    source = pressed(integration).source
    limits = source.rate_limit.limits if isinstance(source, HttpSource) else ()
    if not limits:
        return
    requests = max(rate.amount for rate in limits) * 3 // 2
    sizes = {
        stream.name: max(few(stream), min(PRESSING // max(1, len(roots(integration))), requests * page_size(stream)))
        for stream in integration.streams
    }
    yield Act(name=PRESSED, seed=seed, sizes=sizes, faults=_FAILING, changes=0, pace=QUICK)


def _strike(name: str, at: int = 2, times: int = 1, **rest: object) -> Fault:
    return faults()[name](at=at, times=times, **rest)  # type: ignore[arg-type]


_FAILING = tuple(_strike("503", at) for at in (4, 7, 10, 13))
"""Attempts cost quota as well."""

_STRUCK: dict[str, tuple[Fault, ...]] = {
    "tokens: one runs out": (_strike("token-expired", 2),),
    "tokens: one is taken back": (_strike("token-revoked", 2),),
    "tokens: the token endpoint fails": (_strike("503", 1, place="tokens"), _strike("cut", 2, place="tokens")),
    REFUSED: (_strike("credential-refused", 2),),
    "retries: 429": (_strike("429", 1), _strike("429-date", 3), _strike("429-silent", 5)),
    "retries: 5xx": (_strike("500", 1), _strike("502", 3), _strike("503", 5)),
    "retries: no answer": (_strike("timeout-before", 1), _strike("timeout-after", 3)),
    "retries: connections lost": (_strike("reset-before", 1), _strike("reset-after", 3), _strike("cut", 5)),
    "retries: writes that fail": (_strike("429", 2, place="writes"), _strike("503", 4, place="writes")),
    "retries: writes whose answer is lost": (
        _strike("timeout-after", 5, place="writes"),
        _strike("timeout-after", 40, place="writes"),  # behind the lookups of a first batch
        _strike("reset-after", 47, place="writes"),
    ),
    BURST: (_strike("503", 2, 3),),
    OUTAGE: (_strike("500", 2, 8),),
    "pages: no document": (_strike("html", 1), _strike("empty", 3), _strike("malformed", 5)),
    "pages: the same page twice": (_strike("same-page", 2),),
    LOOP: (_strike("cursor-loop", STRIKES_AT),),
    "pages: records come and change": (_strike("inserted", 2), _strike("changed", 3)),
    "pages: records go": (_strike("deleted", 2),),
    "pages: the API's clock is fast": (_strike("clock-ahead", 1),),
    "pages: the API's clock is slow": (_strike("clock-behind", 1),),
    RIVALS: (),
    AWAY: (_strike("destination-away", 2),),
    "required: fields are missing": (_strike("missing-field", 1), _strike("missing-field", 2)),
    "required: fields are null": (_strike("null-field", 1),),
    "required: fields are of another type": (_strike("changed-type", 1),),
    "required: fields are poison": (_strike("poison", 1), _strike("poison", 2)),
    "required: fields are new": (_strike("new-field", 1),),
}
"""Faults that strike every other call, so that none is met by the attempt that answers to another."""
