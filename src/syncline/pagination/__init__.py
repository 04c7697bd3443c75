"""Which request comes after this page, and whether the list held still meanwhile."""

from syncline.pagination.cursor import Cursor
from syncline.pagination.graphql import GraphQLConnection
from syncline.pagination.links import Link, NextUrl
from syncline.pagination.offset import Offset
from syncline.pagination.page import PageNumber
from syncline.pagination.pagination import Answer, Pagination, PaginationField, Position, Settled, Unpaged
from syncline.pagination.watch import Watch

__all__ = [
    "Answer",
    "Cursor",
    "GraphQLConnection",
    "Link",
    "NextUrl",
    "Offset",
    "PageNumber",
    "Pagination",
    "PaginationField",
    "Position",
    "Settled",
    "Unpaged",
    "Watch",
]
