"""Short ways to run a mapping in tests."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from syncline.mapping import Mapped, Mapping, compile_mapping


def mapping(data: Any) -> Mapping:
    return Mapping.model_validate(data)


def run(data: Any, records: list[Any], where: dict[str, Any] | None = None) -> Mapped:
    return compile_mapping(None if data is None else mapping(data), where).map(records)


def rows(data: Any, records: list[Any]) -> list[tuple[Any, ...]]:
    mapped = run(data, records)
    assert mapped.rejected == []
    return mapped.batch.rows


def reject(data: Any, record: Any) -> tuple[str, str]:
    """The path and the reason of the one record's reject."""
    mapped = run(data, [record])
    assert mapped.batch.rows == []
    (rejected,) = mapped.rejected
    assert rejected.record is record
    return rejected.path, rejected.reason


def value(chain: str, given: Any) -> Any:
    """What a chain makes of a value."""
    ((found,),) = rows({"it": {"source": "it", "transform": chain}}, [{"it": given}])
    return found


def refusal(chain: str, given: Any) -> str:
    """Why a chain refuses a value."""
    path, reason = reject({"it": {"source": "it", "transform": chain}}, {"it": given})
    assert path == "it"
    return reason


def mistakes(data: Any) -> dict[tuple[Any, ...], str]:
    """All mistakes of a mapping by their place."""
    try:
        mapping(data)
    except ValidationError as error:
        return {each["loc"]: each["msg"] for each in error.errors()}
    return {}
