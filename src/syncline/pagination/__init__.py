"""Which request comes after this page, and whether the list held still meanwhile.

A stream needs one kind, so each is imported when it is first asked for.
"""

from syncline.model import announce, late_names

_KINDS = {
    "cursor": "cursor",
    "graphql": "graphql",
    "link": "links",
    "next_url": "links",
    "none": "pagination",
    "offset": "offset",
    "page": "page",
}
_HOMES = {
    "cursor": ("Cursor",),
    "graphql": ("GraphQLConnection",),
    "links": ("Link", "NextUrl"),
    "offset": ("Offset",),
    "page": ("PageNumber",),
    "pagination": ("Answer", "Pagination", "PaginationField", "Position", "Settled", "Unpaged"),
    "watch": ("Watch",),
}

announce("pagination", {kind: f"{__name__}.{home}" for kind, home in _KINDS.items()})

__all__ = sorted(name for names in _HOMES.values() for name in names)  # noqa: PLE0605 – a list of text, made here
__getattr__ = late_names(__name__, _HOMES)
