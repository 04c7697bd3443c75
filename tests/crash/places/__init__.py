"""Every destination that the matrix knows. A new one is one class beside these, and its name here."""

from tests.crash.places.apis import OtherApi, SearchableApi
from tests.crash.places.databases import Duckdb, Mariadb, Postgresql, Psycopg, Pysqlite, Sqlite
from tests.crash.places.files import Csv, Jsonl, ObjectStore, Parquet, Partitioned
from tests.crash.places.place import LINES, THINGS, Place

ALL: tuple[type[Place], ...] = (
    Sqlite,
    Duckdb,
    Postgresql,
    Mariadb,
    Pysqlite,
    Psycopg,
    Jsonl,
    Csv,
    Parquet,
    Partitioned,
    ObjectStore,
    OtherApi,
    SearchableApi,
)
PLACES: dict[str, type[Place]] = {place.name: place for place in ALL}

__all__ = ["LINES", "PLACES", "THINGS", "Place"]
