"""Where records come from: pages of them, in a form that can be gone on with after any crash."""

from syncline.sources.endpoint import Endpoint, Incremental, Parent, Partitions
from syncline.sources.listing import Asks
from syncline.sources.reader import Reader, without_validators
from syncline.sources.rest import GraphQL, HttpSource, Rest

__all__ = [
    "Asks",
    "Endpoint",
    "GraphQL",
    "HttpSource",
    "Incremental",
    "Parent",
    "Partitions",
    "Reader",
    "Rest",
    "without_validators",
]
