from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from syncline.rehearsal.shop import Shop
from tests.support.shop_client import ShopClient

Visit = Callable[[Shop], AbstractAsyncContextManager[ShopClient]]


@pytest.fixture
def visit() -> Visit:
    @asynccontextmanager
    async def open_shop(shop: Shop) -> AsyncIterator[ShopClient]:
        async with shop.serve() as url, aiohttp.ClientSession() as session:
            yield ShopClient(shop, url, session)

    return open_shop
