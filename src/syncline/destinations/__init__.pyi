"""For type checkers: what `__init__.py` imports when it is first used."""

from syncline.destinations.api.part import GraphQLApi as GraphQLApi, RestApi as RestApi
from syncline.destinations.destination import (
    Destination as Destination,
    DestinationField as DestinationField,
    Finished as Finished,
    Sample as Sample,
    Sink as Sink,
    Taker as Taker,
    Trial as Trial,
    UnfinishedLost as UnfinishedLost,
    Writer as Writer,
    note_of as note_of,
    with_note as with_note,
)
from syncline.destinations.file import File as File
from syncline.destinations.sql.part import DuckDb as DuckDb, Sql as Sql
from syncline.destinations.target import (
    Children as Children,
    Deletes as Deletes,
    SchemaPolicy as SchemaPolicy,
    Target as Target,
    WriteMode as WriteMode,
)
from syncline.destinations.values import misfit as misfit
