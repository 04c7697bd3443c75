from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.servers import _wiremock, datasette, json_server, localstripe, wiremock

__all__ = ["_wiremock", "datasette", "json_server", "localstripe", "wiremock"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.real)
