"""The other reader: plain loops over the standard library alone, one for each way of paging."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request

from tests.real.process import direct

Record = dict[str, Any]


def get(url: str, headers: dict[str, str] | None = None) -> tuple[Any, dict[str, str]]:
    """The document, numbers exact, and the headers in lower case."""
    with direct.open(Request(url, headers=headers or {}), timeout=10) as answer:
        return json.loads(answer.read(), parse_float=Decimal), {
            name.lower(): value for name, value in answer.headers.items()
        }


def by_link(url: str) -> Iterator[Record]:
    """json-server, datasette: the list is the body, the next page in the Link header."""
    following: str | None = url
    while following:
        records, headers = get(following)
        yield from records
        found = re.search(r'<([^>]*)>;\s*rel="next"', headers.get("link", ""))
        following = found[1] if found else None


def by_token(url: str, records: str, token: str, param: str) -> Iterator[Record]:
    """datasette: a token in the body names the next page."""
    value: str | None = None
    while True:
        page, _ = get(f"{url}&{urlencode({param: value})}" if value else url)
        yield from page[records]
        value = page[token]
        if value is None:
            return


def by_last_id(url: str, key: str) -> Iterator[Record]:
    """Stripe: `starting_after` the last record, while `has_more`."""
    after: dict[str, str] = {}
    headers = {"Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"}
    while True:
        page, _ = get(f"{url}?{urlencode({'limit': 10, **after})}", headers)
        yield from page["data"]
        if not page["has_more"]:
            return
        after = {"starting_after": page["data"][-1]["id"]}
