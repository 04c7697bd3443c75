"""A plain loop over the practice shop, with nothing of Syncline in it but the exact reading of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import aiohttp

from syncline.rehearsal.shop import Shop


def exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


class ShopClient:
    """Asks until it is answered: refreshes on 401, tries again on 429, 500 and a broken connection, without any wait.

    `seen` holds the statuses met, in order; 0 is a connection that broke.
    """

    def __init__(self, shop: Shop, url: str, session: aiohttp.ClientSession) -> None:
        self.shop, self.url, self.session = shop, url, session
        self.seen: list[int] = []
        self.headers: list[Mapping[str, str]] = []
        self.token: str | None = None

    async def get(self, path: str, **params: Any) -> Any:
        while True:
            status, text = await self.once("GET", path, params=params)
            if status == 200:
                return exact(text)
            assert status in (0, 401, 429, 500), text
            if status == 401:
                await self.authorise()

    async def once(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            async with self.session.request(method, self.url + path, headers=sent, **options) as response:
                text = await response.text()
                self.seen.append(response.status)
                self.headers.append(response.headers)
                return response.status, text
        except (TimeoutError, aiohttp.ClientError):
            self.seen.append(0)
            return 0, ""

    async def authorise(self) -> None:
        form = {"grant_type": "client_credentials", "client_id": self.shop.tokens.client_id}
        form["client_secret"] = self.shop.tokens.client_secret
        async with self.session.post(f"{self.url}/oauth/token", data=form) as response:
            assert response.status == 200
            self.token = (await response.json())["access_token"]

    async def orders(self, limit: int = 100, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = await self.get("/v2/orders", limit=limit, **params, **more)
            found += page["data"]
            cursor = page["meta"]["next_cursor"]
            if cursor is None:
                return found
