"""For type checkers: what `__init__.py` imports when it is first used."""

from syncline.auth import ApiKey as ApiKey, Basic as Basic, Bearer as Bearer, Hmac as Hmac, Jwt as Jwt, OAuth2 as OAuth2
from syncline.destinations import File as File, Sql as Sql, Target as Target
from syncline.engine import (
    Report as Report,
    arun as arun,
    arun_many as arun_many,
    plan as plan,
    preview as preview,
    retry_rejects as retry_rejects,
    run as run,
    run_many as run_many,
)
from syncline.errors import SynclineError as SynclineError
from syncline.mapping import Mapping as Mapping, transform as transform
from syncline.model import Part as Part, register as register
from syncline.pagination import (
    Cursor as Cursor,
    GraphQLConnection as GraphQLConnection,
    Link as Link,
    NextUrl as NextUrl,
    Offset as Offset,
    PageNumber as PageNumber,
)
from syncline.sources import (
    GraphQL as GraphQL,
    Incremental as Incremental,
    Parent as Parent,
    Partitions as Partitions,
    Rest as Rest,
)
from syncline.spec import (
    Integration as Integration,
    Stream as Stream,
    dump as dump,
    json_schema as json_schema,
    load as load,
    loads as loads,
)

__version__: str
