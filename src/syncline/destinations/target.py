"""What a stream says about its rows at the destination: where they go, how, and what becomes of those whose records are gone."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from syncline.destinations.calls import Calls
from syncline.mapping import Where
from syncline.model import Part, Ratio
from syncline.model.fields import checked_path

WriteMode = Literal["append", "upsert", "replace"]
SchemaPolicy = Literal["evolve", "freeze", "discard"]


class Children(Part):
    """A list within the row that becomes a table of its own: one row an element, in order."""

    table: str | None = Field(default=None, description="Its table; <table>_<column> where it is left out.")
    parent: dict[str, str] = Field(
        default={},
        description="What the parent's key columns are called here: {id: order_id}; default: _parent_<column>.",
    )
    order: str = Field(default="_position", description="The column that holds an element's place in the list, from 0.")


def _children(value: Any) -> Any:
    """`children: items`, `children: [items, taxes]` or `children: {items: {table: …}}`."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {name: {} if one is None else one for name, one in value.items()}
    raise PydanticCustomError(
        "children", "children names mapped lists: items, [items, taxes] or {items: {table: …}}", {}
    )


class Target(Calls):
    """Where a stream's rows go. table and children are for databases and files, what belongs to requests is for other APIs."""

    table: str | None = Field(default=None, description="Table or file name; the stream's name where it is left out.")
    write: WriteMode = Field(
        default="upsert",
        description="append: add every row. upsert: insert or update by primary key. "
        "replace: a full pass takes the place of what was there, all at once.",
    )
    children: Annotated[dict[str, Children], BeforeValidator(_children)] = Field(
        default={},
        description="Columns whose lists of objects become tables of their own, with the parent's key and the order; "
        "other lists stay JSON.",
    )

    def children_table(self, table: str, column: str) -> str:
        return self.children[column].table or f"{table}_{column}"


class Deletes(Part):
    """How records that are gone at the source are noticed, and what becomes of their rows."""

    when: Annotated[str | Where, BeforeValidator(checked_path)] | None = Field(
        default=None,
        description="What marks a record as deleted: a path at which something stands (deleted_at), or the value at a path "
        "({status: [deleted, archived]}).",
    )
    missing: bool = Field(
        default=False,
        description="Rows whose records a complete pass did not list are deleted; never after a pass that may have missed some.",
    )
    how: Literal["soft", "hard"] = Field(
        default="soft", description="soft: the row stays, with the time in a column. hard: the row goes."
    )
    column: str = Field(
        default="_deleted_at", description="The column of soft deletes; null in every row that is alive."
    )
    max_ratio: Ratio = Field(
        default=0.2,
        description="A pass that would delete more than this share of the rows as missing deletes none and ends as partial "
        "(exit 5); --allow-deletes lets it.",
    )
