"""For type checkers: what `__init__.py` imports when it is first used."""

from syncline.pagination.cursor import Cursor as Cursor
from syncline.pagination.graphql import GraphQLConnection as GraphQLConnection
from syncline.pagination.links import Link as Link, NextUrl as NextUrl
from syncline.pagination.offset import Offset as Offset
from syncline.pagination.page import PageNumber as PageNumber
from syncline.pagination.pagination import (
    Answer as Answer,
    Pagination as Pagination,
    PaginationField as PaginationField,
    Position as Position,
    Settled as Settled,
    Unpaged as Unpaged,
)
from syncline.pagination.watch import Watch as Watch
