"""Where rows go: batches made durable, together with their checkpoint.

An integration has one kind of destination, so each is imported when it is first asked for.
"""

from syncline.model import announce, late_names

_KINDS = {
    "duckdb": "sql.part",
    "file": "file",
    "graphql": "api.part",
    "rest": "api.part",
    "sql": "sql.part",
}
_HOMES = {
    "api.part": ("GraphQLApi", "RestApi"),
    "destination": (
        "Destination",
        "DestinationField",
        "Finished",
        "Sample",
        "Sink",
        "Taker",
        "Trial",
        "UnfinishedLost",
        "Writer",
        "note_of",
        "with_note",
    ),
    "file": ("File",),
    "sql.part": ("DuckDb", "Sql"),
    "values": ("misfit",),
    "target": ("Children", "Deletes", "SchemaPolicy", "Target", "WriteMode"),
}

announce("destination", {kind: f"{__name__}.{home}" for kind, home in _KINDS.items()})

__all__ = sorted(name for names in _HOMES.values() for name in names)  # noqa: PLE0605 – a list of text, made here
__getattr__ = late_names(__name__, _HOMES)
