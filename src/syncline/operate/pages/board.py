"""The first page: every integration at one glance, and what somebody has to look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syncline.operate.pages.frame import page
from syncline.operate.pages.html import Html, join, tag
from syncline.operate.pages.look import Link, Look, conduct, freshness, heading, numbers, strip
from syncline.operate.pages.words import count, error_block, when

KINDS = {"dead_letters": "rejects"}
ORDER = ("broken", "failed", "partial", "stale", "running")


def board_page(looks: Sequence[Look], now: datetime, link: Link, *, nonce: str | None = None) -> str:
    return page("Syncline", board(looks, now, link), nonce=nonce, live=True)


def exported_page(looks: Sequence[Look], now: datetime, ones: Sequence[Html]) -> str:
    """Everything in one file: the board, and below it each integration."""
    return page("Syncline", board(looks, now, "#{}".format), *(tag("section", one) for one in ones))


def board(looks: Sequence[Look], now: datetime, link: Link) -> Html:
    ordered = sorted(looks, key=lambda look: (_rank(look), look.name))
    troubled = [look for look in ordered if look.needs_attention]
    title = tag("div", tag("h1", "Integrations"), tag("p", "as of ", when(now), class_="sub"))
    return join(
        (
            tag("header", title),
            _tiles(looks, troubled),
            tag("h2", "Needs attention") if troubled else None,
            tag("div", [attention(look, link) for look in troubled[:12]], class_="attention") if troubled else None,
            tag("p", f"and {len(troubled) - 12} more below", class_="sub") if len(troubled) > 12 else None,
            tag("h2", "All integrations"),
            _rows(ordered, link),
        )
    )


def _rank(look: Look) -> int:
    return ORDER.index(look.status) if look.status in ORDER else len(ORDER)


def _tiles(looks: Sequence[Look], troubled: Sequence[Look]) -> Html:
    days = [look.of_last_day() for look in looks]
    written, rejected = sum(day.written for day in days), sum(day.rejected for day in days)
    running = sum(look.one.running is not None for look in looks)
    tiles = (
        (str(len(looks)), "integrations" if len(looks) != 1 else "integration", ""),
        (str(len(troubled)), "need attention" if len(troubled) != 1 else "needs attention", "bad" if troubled else ""),
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
