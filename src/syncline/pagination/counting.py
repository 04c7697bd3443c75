"""What `offset` and `page` have in common: when a numbered list ends, and whether it moved."""

from __future__ import annotations

from collections.abc import Sequence

TYPICAL_CAPS = frozenset({12, 15, 16, 24, 25, 32, 48, 64, 75, 96, 128, 256, 512, 1024})

SAME_PAGE = "the page before came again, as if the server had not looked at the number: its own records were not seen"
FIRST_PAGE = "the first page came again, as if the server had not looked at the number: its own records were not seen"
OPENING = 2
"""So many records make a list's opening: one alone may well stand in two places."""


def looks_like_a_cap(length: int) -> bool:
    """Whether a first page of this length was probably cut by the server, and not by the end of the list.

    Servers that allow less than what is asked for cut at 10, 20, 25, 50, 100, 250, 1000: asking once more costs one request
    where the list is of that very length, and saves the rest of the list where it is not.
    """
    return length >= 10 and (length % 10 == 0 or length in TYPICAL_CAPS)


def is_last(length: int, *, asked: int | None, learnt: int | None) -> bool:
    """Whether a page is the last one, where no total tells.

    `asked` is the length asked for, if any; `learnt` the length of the first page, None while this is the first.
    """
    if length == 0:
        return True
    if learnt is not None:
        return length < learnt
    return asked is not None and length < asked and not looks_like_a_cap(length)


def is_page_before(names: Sequence[object], *, first: object, last: object, added: int = 0) -> bool:
    """Whether these are the records of the page before, maybe moved on by others that were added in front of them.

    `names` identify the records here, `first` and `last` those between which the page before lay. Where so many were `added` in
    front, the next page begins with just as many of the end of the page before.
    """
    place = names.index(last) if last in names else None
    if added and (place == added - 1 or (place is None and added > len(names))):
        return False
    return place == len(names) - 1 or (place is None and first in names)


def is_first_page(names: Sequence[object], opening: Sequence[object], *, read: int, added: int = 0) -> bool:
    """Whether the list's opening is among these records, maybe moved on by others that were added in front of it.

    `names` identify the records here, `opening` the first `OPENING` of the list. They come here by right only where as many were
    `added` as were `read` before.
    """
    if not opening or added >= read or opening[0] not in names:
        return False
    place = names.index(opening[0])
    return list(names[place : place + len(opening)]) == list(opening)


def moved(before: int | None, now: int | None, what: str = "records") -> tuple[str | None, bool]:
    """What a changed count means for the pass: a notice, and whether records may have been skipped."""
    if before is None or now is None or now == before:
        return None, False
    count = f"the API's count of {what} went from {before} to {now}"
    if now < before:
        return f"records were deleted while paging ({count}): others may have been skipped", True
    return f"records were added while paging ({count}): some may come twice", False


def ended_early(total: int | None, read: int) -> str | None:
    """What to say of a list that ended before its count, or None."""
    if total is None or read >= total:
        return None
    return f"the list ended after {read} of the {total} records that the API counts: some were skipped, or are hidden"


def counts_its_page(total: int | None, length: int, limit: int | None) -> str | None:
    """What to say where the count of all records is just the length of a full first page, or None."""
    if total is None or total != length or limit is None or length < limit:
        return None
    return f"the API counts {total} records, exactly a full page: check that 'total' is not the page's own length"
