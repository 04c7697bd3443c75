"""The lines about what the destination holds: every page, no bad record, whole after a kill, at production's volume."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from syncline.mapping import FieldMapping
from syncline.pagination import Unpaged
from syncline.rehearsal.checklist.findings import Findings, accounts, heard, many, problems_of, some
from syncline.rehearsal.checklist.line import Line, failed, held, not_applicable, not_tried
from syncline.rehearsal.checklist.programme import AWAY, LOOP, PLAIN, STRIKES_AT, VOLUME, roots
from syncline.rehearsal.evidence import ActReport
from syncline.spec import Integration

EXTRA = 2
"""Requests that a list which leads in a circle may cost (R21)."""
VOLUME_TEXT = re.compile(r"([\d_]+) records/(\w+)")


def pages(found: Findings) -> Line:
    """Every record that was there, once, whatever the list did meanwhile."""
    wrong = found.problems("pages")
    loop, stopped = _loop(found.acts.get(LOOP), found.integration)
    wrong += loop
    if wrong:
        return failed("pages", *some(wrong))
    plain = found.acts.get(PLAIN)
    first = accounts(plain.passes[0])["read"] if plain else 0
    asked = sum(seen.kind == "page" and seen.at <= plain.passes[0].ended for seen in plain.seen) if plain else 0
    others = [act.name.partition(": ")[2] for act in found.of("pages") if act.name not in (PLAIN, LOOP)]
    return held(
        "pages",
        f"{first:,} of {first:,} records in {many(asked, 'request')}: 0 lost, 0 twice, 0 wrong",
        f"and as many where: {', '.join(others)}" if others else "",
        stopped,
    )


def _loop(act: ActReport | None, integration: Integration) -> tuple[list[str], str]:
    """A list that leads back to where it was has to end the run, and soon."""
    stream = integration.streams[0]
    if act is None or not act.struck or stream.parents or not _can_loop(stream.pagination):
        return [], ""
    first, struck = act.passes[0], act.struck[0]
    path = next(seen.path for seen in act.seen if seen.number == struck.request)
    sent = [event for event in heard(first, "RequestSent") if event["stream"] == stream.name]
    after = sum(urlsplit(event["url"]).path == path for event in sent) - STRIKES_AT
    if first.exit_code == 0:
        return ["a list led back to where it was, and the run noticed nothing"], ""
    if after > EXTRA:
        return [f"a list that led in a circle was followed for {after} more requests, {EXTRA} are enough"], ""
    return [], f"a list that led in a circle: noticed after {many(after, 'more request', 'more requests')}"


def _can_loop(pagination: object) -> bool:
    """Whether the API says what comes next; where the last record does, it cannot lead astray."""
    return not isinstance(pagination, Unpaged) and getattr(pagination, "last_record", None) is None


def required(found: Findings) -> Line:
    """Records that lack what is required become dead letters, and the others become rows."""
    fields = [field for stream in found.integration.streams for field in _required(stream.mapping)]
    acts = found.of("required")
    if not fields:
        return not_applicable("required", "no field is required: records are taken as they are")
    wrong = found.problems("required")
    if wrong:
        return failed("required", *some(wrong))
    refused = sum(verdict.rejected for act in acts for verdict in act.passes[-1].verdicts.values())
    spoilt = sum(len(act.struck) for act in acts)
    rows = sum(verdict.found for act in acts for verdict in act.passes[-1].verdicts.values())
    return held(
        "required",
        f"{many(spoilt, 'record')} spoilt (missing, null, of another type, poison, new fields): {refused} kept as dead letters "
        f"with path and reason",
        f"{rows:,} rows beside them, each as it must be; {many(len(fields), 'field')} required: {', '.join(fields[:6])}",
    )


def _required(mapping: object) -> list[str]:
    fields: tuple[FieldMapping, ...] = getattr(mapping, "fields", ())
    return [field.target for field in fields if field.required]


def resume(found: Findings) -> Line:
    """Killed at every station, the next run makes it whole, and does not begin anew."""
    if found.kills is None:
        return not_tried("resume", "processes cannot be forked on this system")
    kills = found.kills.killed
    wrong = found.problems("resume")
    wrong += [f"without a kill: {problem}" for problem in found.kills.problems]
    wrong += [f"{one.station}: the process was not killed" for one in kills if not one.died]
    wrong += [f"killed at {one.station}: {problem}" for one in kills for problem in one.problems]
    wrong += [
        f"killed at {one.station}: {', '.join(set(one.must_resume) - set(one.resumed))} began anew"
        for one in kills
        if not set(one.must_resume) <= set(one.resumed)
    ]
    if wrong:
        return failed("resume", *some(wrong))
    half = [one for one in kills if one.must_resume]
    least, most = min((one.of - one.read for one in half), default=0), max((one.of for one in half), default=0)
    went_on = f"{len(half)} of {len(half)} unfinished passes went on from their checkpoint"
    return held(
        "resume",
        f"kill -9 at {len(kills)} stations, then run again: 0 records lost, 0 twice, no manual step",
        f"{went_on}; at least {least:,} of {most:,} records were not read again" if half else "each pass is one batch",
        "a second runner in the midst of a run was sent away (exit 75)",
        "a destination that went away in the midst of a run was waited for" if AWAY in found.acts else "",
    )


def volume(found: Findings) -> Line:
    """As many records as the file says there will be."""
    text = found.integration.volume
    if text is None:
        return not_applicable("volume", "the file does not say what production looks like (volume: 50000 records/day)")
    wanted = records_in(text)
    act = found.acts.get(VOLUME)
    if act is None:
        return not_tried("volume", f"{text}: more than was asked for", fix=f"--records {wanted}")
    if problems_of(act):
        return failed("volume", *some(problems_of(act)))
    first = act.passes[0]
    read = accounts(first)["read"]
    shared = "" if len(roots(found.integration)) < 2 else f" of {len(roots(found.integration))} streams"
    evidence = (
        f"{read:,} records{shared} in {many(act.requests, 'request')}, each as it must be; the file says {text}",
        f"{_duration(first.ended - first.began)} by the API's limits and answers, {act.seconds:.1f} s of work here",
    )
    if read < wanted * 0.99:
        return not_tried("volume", f"{read:,} of {wanted:,} records: {evidence[0]}", fix=f"--records {wanted}")
    return held("volume", *evidence)


def records_in(text: str) -> int:
    """The number in `50000 records/day`."""
    match = VOLUME_TEXT.fullmatch(text)
    assert match is not None, text
    return int(match[1].replace("_", ""))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
