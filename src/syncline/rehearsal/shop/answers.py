"""What the practice shop answers to whoever was let in."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from syncline.model import encode_json
from syncline.rehearsal.shop.goods import STATUSES, Entry, Goods, read_moment, write_moment
from syncline.rehearsal.simulator.wire import Answer, Call, answered

MAX_LIMIT = 250
DEFAULT_LIMIT = 50


class Refusal(Exception):
    """An answer other than 200, as a document with a code and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self, headers: dict[str, str] | None = None) -> Answer:
        return answered({"errors": [{"code": self.code, "message": self.message}]}, self.status, headers)


def nothing_at(call: Call) -> Refusal:
    return Refusal(404, "not_found", f"there is nothing at {call.path}")


def answer_for(goods: Goods, call: Call) -> Answer:
    """Raises Refusal."""
    match call.method, call.path.strip("/").split("/"):
        case "GET", ["v2", "orders"]:
            return _orders(goods, call)
        case "GET", ["v2", "orders", number]:
            return answered({"data": _found(goods, number)})
        case "GET", ["v2", "orders", number, "refunds"]:
            return answered({"data": goods.refunds(_found(goods, number)), "meta": {"next_cursor": None}})
        case "GET", ["v2", "customers"]:
            return _customers(goods, call)
        case "POST", ["graphql"]:
            return _products(goods, call)
    raise nothing_at(call)


def document_of(call: Call) -> dict[str, Any]:
    """The body. Raises Refusal where it is no object."""
    document = call.json
    if not isinstance(document, dict):
        raise Refusal(400, "invalid", "the body is not a JSON object")
    return document


def _orders(goods: Goods, call: Call) -> Answer:
    limit = _whole(call, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    since = _since(call)
    status = call.params.get("status", "any")
    wanted = None if status == "any" else status
    if wanted not in (None, *STATUSES):
        raise Refusal(400, "invalid", f"status is any, {', '.join(sorted(set(STATUSES)))}")
    after = _read_cursor(call.params.get("cursor"))
    page: list[Entry] = []
    following = None
    for entry in goods.listing(since, after, wanted):
        if len(page) == limit:
            following = _write_cursor(page[-1].key)
            break
        page.append(entry)
    meta = encode_json({"next_cursor": following, "total": goods.count(since, wanted)})
    body = b'{"data":[' + b",".join(entry.body for entry in page) + b'],"meta":' + meta + b"}"
    return answered({}).but(body=body)


def _found(goods: Goods, number: str) -> dict[str, Any]:
    order = goods.order(int(number)) if number.isascii() and number.isdigit() else None
    if order is None:
        raise Refusal(404, "not_found", "there is no such order")
    return order


def _customers(goods: Goods, call: Call) -> Answer:
    size = _whole(call, "per_page", DEFAULT_LIMIT, MAX_LIMIT)
    page = _whole(call, "page", 1, 1_000_000)
    customers = goods.customers
    return answered(
        {
            "customers": customers[(page - 1) * size : page * size],
            "page": page,
            "total_pages": -(-len(customers) // size),
            "total": len(customers),
        }
    )


def _products(goods: Goods, call: Call) -> Answer:
    """One GraphQL connection, whatever fields the query names; real servers would select."""
    document = document_of(call)
    if "products" not in str(document.get("query", "")):
        return answered({"errors": [{"message": "this shop's GraphQL knows the field products alone"}], "data": None})
    variables = document.get("variables") or {}
    first = variables.get("first", DEFAULT_LIMIT)
    after = variables.get("after") or "0"
    if not isinstance(first, int) or not 0 < first <= MAX_LIMIT or not str(after).isdigit():
        return answered({"errors": [{"message": f"first is 1 to {MAX_LIMIT}, after a cursor"}], "data": None})
    start = int(after)
    nodes = goods.products[start : start + first]
    end = start + len(nodes)
    products = {
        "totalCount": len(goods.products),
        "nodes": nodes,
        "edges": [{"cursor": str(start + step + 1), "node": node} for step, node in enumerate(nodes)],
        "pageInfo": {"hasNextPage": end < len(goods.products), "endCursor": str(end) if nodes else None},
    }
    return answered({"data": {"products": products}})


def _whole(call: Call, name: str, default: int, most: int) -> int:
    text = call.params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and 1 <= int(text) <= most):
        raise Refusal(400, "invalid", f"{name} is a whole number from 1 to {most}")
    return int(text)


def _since(call: Call) -> str | None:
    text = call.params.get("updated_since")
    if not text:
        return None
    try:
        return write_moment(read_moment(text))
    except (ValueError, OverflowError):
        raise Refusal(400, "invalid", "updated_since is a time such as 2025-06-30T18:00:00Z") from None


def _write_cursor(key: tuple[str, int]) -> str:
    return base64.urlsafe_b64encode(f"{key[0]}|{key[1]}".encode()).decode().rstrip("=")


def _read_cursor(text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    try:
        moment, _, order_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("|")
        return moment, int(order_id)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refusal(400, "invalid", "the cursor is none of this shop's") from None
