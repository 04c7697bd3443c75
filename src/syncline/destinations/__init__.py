"""Where rows go: batches made durable, together with their checkpoint."""

from syncline.destinations.api import GraphQLApi, RestApi
from syncline.destinations.destination import (
    Destination,
    DestinationField,
    Finished,
    Sample,
    Sink,
    Trial,
    Writer,
)
from syncline.destinations.file import File
from syncline.destinations.sql import Sql
from syncline.destinations.target import Children, Deletes, SchemaPolicy, Target, WriteMode

__all__ = [
    "Children",
    "Deletes",
    "Destination",
    "DestinationField",
    "File",
    "Finished",
    "GraphQLApi",
    "RestApi",
    "Sample",
    "SchemaPolicy",
    "Sink",
    "Sql",
    "Target",
    "Trial",
    "WriteMode",
    "Writer",
]
