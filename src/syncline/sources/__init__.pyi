"""For type checkers: what `__init__.py` imports, at once or when it is first used."""

from syncline.sources.endpoint import (
    Endpoint as Endpoint,
    Incremental as Incremental,
    Parent as Parent,
    Partitions as Partitions,
)
from syncline.sources.graphql import GraphQL as GraphQL
from syncline.sources.listing import Asks as Asks
from syncline.sources.reader import Reader as Reader, without_validators as without_validators
from syncline.sources.rest import HttpSource as HttpSource, Rest as Rest
