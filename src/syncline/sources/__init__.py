"""Where records come from: pages of them, in a form that can be gone on with after any crash."""

from syncline.model import announce, late_names
from syncline.sources.endpoint import Endpoint, Incremental, Parent, Partitions
from syncline.sources.listing import Asks
from syncline.sources.reader import Reader, without_validators
from syncline.sources.rest import HttpSource, Rest

announce("source", {"graphql": f"{__name__}.graphql"})

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

__getattr__ = late_names(__name__, {"graphql": ("GraphQL",)})
