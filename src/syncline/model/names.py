"""Near misses: what somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option most like `name`, or None where nothing is near."""
    import difflib  # late: only somebody's mistake needs it

    known = [str(option) for option in options]
    folded = {option.casefold().replace("-", "_"): option for option in known}
    found = difflib.get_close_matches(name.casefold().replace("-", "_"), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name: str, options: Iterable[str], *, most: int = 12) -> str:
    """A sentence for the end of an error: the near miss, or else what there is."""
    known = sorted({str(option) for option in options})
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    if not known:
        return "there is none"
    shown = ", ".join(known[:most]) + (", …" if len(known) > most else "")
    return f"there is: {shown}"
