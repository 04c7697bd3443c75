"""Which columns identify a row."""

from __future__ import annotations

from syncline.model import parse_path
from syncline.spec.integration import Stream


class MissingKey(ValueError):
    """A part of the primary key that the mapping leaves out."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
        self.suggestion = f"{(parse_path(path) or ('id',))[-1]!s}: {path}"


def key_columns(stream: Stream) -> tuple[str, ...]:
    """The columns that the stream's primary key becomes: of each path, the target mapped from it, or one named like it.

    Raises MissingKey.
    """
    if stream.mapping is None:
        return stream.primary_key
    columns = []
    for path in stream.primary_key:
        from_path = [field.target for field in stream.mapping.fields if field.source == path and field.each is None]
        named_alike = [target for target in stream.mapping.targets if target == path]
        if not from_path and not named_alike:
            raise MissingKey(path)
        columns.append((from_path or named_alike)[0])
    return tuple(columns)
