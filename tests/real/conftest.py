from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.servers import _wiremock, datasette, json_server, localstripe, oidc, wiremock

__all__ = ["_wiremock", "datasette", "json_server", "localstripe", "oidc", "wiremock"]


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def integration_text() -> Callable[[str], str]:
    """The text of an example, to be changed a little."""
    return lambda name: (EXAMPLES / name).read_text()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.real)
