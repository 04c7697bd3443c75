"""The same stream with small pages, for what people are to read."""

from __future__ import annotations

from syncline.model import Part
from syncline.pagination import GraphQLConnection
from syncline.spec import Stream

_SIZES = {"limit": "limit_param", "size": "size_param"}


def with_pages_of(stream: Stream, size: int) -> tuple[Stream, int | None]:
    """The stream asking for so many records at once, where its pagination can; and the size, or None where it cannot."""
    paging = stream.pagination
    for field, param in _SIZES.items():
        names = type(paging).model_fields
        if field in names and param in names and getattr(paging, param) is not None:
            return stream.model_copy(update={"pagination": paging.model_copy(update={field: size})}), size
    if isinstance(paging, GraphQLConnection) and paging.size_variable is not None:
        return stream.model_copy(update={"pagination": paging.model_copy(update={"size": size})}), size
    return stream, None


def cursor_names(paging: Part) -> list[str]:
    """The names of fields and headers that the next page is found by."""
    texts = [value for value in paging.to_data().values() if isinstance(value, str)]
    return [*texts, *(text.rpartition(".")[2] for text in texts)]
