"""The first page: every integration at one glance, and what somebody has to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

import msgspec

from syncline.operate.pages.frame import page
from syncline.operate.pages.html import Html, join, tag
from syncline.operate.pages.look import Link, Look, conduct, freshness, heading, numbers, strip
from syncline.operate.pages.words import count, error_block, when

KINDS = {"dead_letters": "rejects"}
ATTENTION = "attention"
SEVERITIES = ("error", "warning")
MOST_CARDS = 6
WORST_FIRST = (
    "broken",
    "failed",
    "partial",
    "stale",
    "deferred",
    "interrupted",
    "held",
    "running",
    "paused",
    "waiting",
    "done",
)
MOST_ROWS = 200
"""Rows that are drawn at most: who has more integrations looks for one by its name or its state."""


class Wanted(msgspec.Struct, frozen=True):
    """Which integrations somebody looks for: those whose name has this in it, and that are in this state; empty for any."""

    name: str = ""
    state: str = ""

    def has(self, look: Look) -> bool:
        if self.name.lower() not in look.name.lower():
            return False
        return self.state in ("", look.status) or (self.state == ATTENTION and look.needs_attention)


def board_page(
    looks: Sequence[Look], now: datetime, link: Link, wanted: Wanted | None = None, *, nonce: str | None = None
) -> str:
    return page("Syncline", board(looks, now, link, wanted or Wanted()), nonce=nonce, live=True)


def exported_page(looks: Sequence[Look], now: datetime, ones: Sequence[Html]) -> str:
    """Everything in one file: the board, and below it each integration."""
    return page("Syncline", board(looks, now, "#{}".format), *(tag("section", one) for one in ones))


def board(looks: Sequence[Look], now: datetime, link: Link, wanted: Wanted | None = None) -> Html:
    """With `wanted` it is a page of a server, which can be asked for fewer; without, it holds all there is."""
    found = sorted(filter(wanted.has, looks) if wanted else looks, key=lambda look: (_rank(look), look.name))
    shown = found[:MOST_ROWS] if wanted else found
    title = tag("div", tag("h1", "Integrations"), tag("p", "as of ", when(now), class_="sub"))
    return join(
        (
            tag("header", title),
            _tiles(looks),
            _finder(looks, wanted) if wanted else None,
            _attention([look for look in found if look.needs_attention], link),
            tag("h2", "Integrations like that" if wanted and wanted != Wanted() else "All integrations"),
            _rows(shown, link) if shown or not looks else tag("div", "There is none.", class_="card empty"),
            _left(len(found) - len(shown)),
        )
    )


def _rank(look: Look) -> int:
    """The worst first; what runs stays in its place, so that nothing moves away from under a pointer."""
    found = {trouble.severity for trouble in look.troubles}
    return next((place for place, severity in enumerate(SEVERITIES) if severity in found), len(SEVERITIES))


def _attention(troubled: Sequence[Look], link: Link) -> Html | None:
    if not troubled:
        return None
    cards = tag("div", [attention(look, link) for look in troubled[:MOST_CARDS]], class_="attention")
    return join((tag("h2", "Needs attention"), cards, _left(len(troubled) - MOST_CARDS)))


def _left(number: int) -> Html | None:
    return tag("p", f"and {number:,} more", class_="sub more") if number > 0 else None


def _finder(looks: Sequence[Look], wanted: Wanted) -> Html:
    """Links to those in each state there is, and a field for a part of a name; both work without a script."""
    states = Counter(look.status for look in looks)
    troubled = sum(look.needs_attention for look in looks)
    chips = [("", "all", len(looks))]
    if troubled:
        chips.append((ATTENTION, "need attention", troubled))
    chips += [(state, state, states[state]) for state in WORST_FIRST if states[state]]
    field = tag(
        "input",
        type="search",
        name="name",
        value=wanted.name or None,
        placeholder="find by name",
        aria_label="a part of the name",
    )
    kept = tag("input", type="hidden", name="state", value=wanted.state) if wanted.state else None
    links = [
        tag(
            "a",
            tag("b", f"{number:,}"),
            f" {label}",
            class_="chip",
            href="/?" + urlencode({"name": wanted.name, "state": state}),
            aria_current="true" if state == wanted.state else None,
        )
        for state, label, number in chips
    ]
    return tag("div", links, tag("form", field, kept, method="get", action="/", role="search"), class_="finder")


def _tiles(looks: Sequence[Look]) -> Html:
    days = [look.of_last_day() for look in looks]
    written, rejected = sum(day[0] for day in days), sum(day[1] for day in days)
    troubled = sum(look.needs_attention for look in looks)
    running = sum(look.one.running is not None for look in looks)
    tiles = (
        (str(len(looks)), "integrations" if len(looks) != 1 else "integration", ""),
        (str(troubled), "need attention" if troubled != 1 else "needs attention", "bad" if troubled else ""),
        (str(running), "running now", ""),
        (count(written), "written in 24 h", ""),
        (count(rejected), "rejected in 24 h", "bad" if rejected else ""),
    )
    return tag(
        "div",
        [
            tag("div", tag("b", number), tag("span", label), class_=f"card tile {tone}".strip())
            for number, label, tone in tiles
        ],
        class_="tiles",
    )


def attention(look: Look, link: Link | None) -> Html:
    """All that is not well with one integration, each with what to do."""
    worst = "warn" if all(trouble.severity != "error" for trouble in look.troubles) else ""
    name = tag("a", look.name, href=link(look.name)) if link else look.name
    blocks = []
    for trouble in look.troubles:
        error = look.one.mistake or (look.last.error if look.last is not None else None)
        if trouble.kind == "failed" and error:
            blocks.append(error_block(error))
        else:
            blocks.append(
                error_block(
                    {
                        "code": KINDS.get(trouble.kind, trouble.kind),
                        "what": trouble.title,
                        "evidence": trouble.detail,
                        "hint": trouble.hint,
                    }
                )
            )
    return tag("div", tag("p", tag("b", name)), blocks, class_=f"card {worst}".strip())


def _rows(looks: Sequence[Look], link: Link) -> Html:
    if not looks:
        return tag("div", "There is no integration file in this folder yet.", class_="card empty")
    names = ("integration", "age of the data", "last runs", "last run", "API")
    head = tag("div", [tag("span", name) for name in names], class_="row head", aria_hidden="true")
    rows = [
        tag("div", heading(look, link), freshness(look), strip(look), numbers(look), conduct(look), class_="row link")
        for look in looks
    ]
    return tag("div", head, rows, class_="card rows")
