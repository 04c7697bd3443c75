"""Where rows go: batches made durable, together with their checkpoint."""

from syncline.destinations.destination import (
    Destination,
    DestinationField,
    Sample,
    SchemaPolicy,
    Sink,
    Target,
    Trial,
    WriteMode,
    Writer,
)
from syncline.destinations.file import File
from syncline.destinations.sql import Sql

__all__ = [
    "Destination",
    "DestinationField",
    "File",
    "Sample",
    "SchemaPolicy",
    "Sink",
    "Sql",
    "Target",
    "Trial",
    "WriteMode",
    "Writer",
]
