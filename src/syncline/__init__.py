"""Syncline: system-to-system API integrations from one file.

Names are imported when they are first used, so that `import syncline` costs nothing.
"""

from __future__ import annotations

_HOMES = {
    "syncline.spec": ("Integration", "Stream", "dump", "json_schema", "load", "loads"),
    "syncline.engine": ("Report", "arun", "arun_many", "plan", "preview", "retry_rejects", "run", "run_many"),
    "syncline.sources": ("GraphQL", "Incremental", "Parent", "Partitions", "Rest"),
    "syncline.destinations": ("File", "Sql", "Target"),
    "syncline.auth": ("ApiKey", "Basic", "Bearer", "Hmac", "Jwt", "OAuth2"),
    "syncline.mapping": ("Mapping", "transform"),
    "syncline.pagination": ("Cursor", "GraphQLConnection", "Link", "NextUrl", "Offset", "PageNumber"),
    "syncline.model": ("Part", "register"),
    "syncline.errors": ("SynclineError",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = sorted(_HOME_OF)  # noqa: PLE0605 – a list of text, made here


def __getattr__(name: str) -> object:
    from importlib import import_module  # late: `import syncline` and `syncline --help` are to cost nothing

    if name not in _HOME_OF:
        raise AttributeError(f"module 'syncline' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
