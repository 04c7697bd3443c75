"""A Singer tap on singer-sdk: REST stream, JSONPath paging, `post_process` as the mapping, msgspec for its messages."""

from __future__ import annotations

from decimal import Decimal

from singer_sdk import RESTStream, Tap, typing as th
from singer_sdk.contrib.msgspec import MsgSpecWriter

TEXT = [
    "number",
    "status",
    "currency",
    "note",
    "created_at",
    "updated_at",
    "email",
    "first_name",
    "phone",
    "city",
    "postal_code",
    "country",
    "gateway",
    "card_brand",
    "first_sku",
]


class Orders(RESTStream):
    name = "orders"
    path = "/orders"
    primary_keys = ("id",)
    records_jsonpath = "$.data[*]"
    next_page_token_jsonpath = "$.meta.next_cursor"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType, required=True),
        th.Property("total_cents", th.IntegerType),
        th.Property("tax_rate", th.NumberType),
        th.Property("test", th.BooleanType),
        th.Property("customer_id", th.IntegerType),
        *(th.Property(name, th.StringType) for name in TEXT),
    ).to_dict()

    @property
    def url_base(self) -> str:
        return self.config["api_url"]

    def get_url_params(self, context: dict | None, next_page_token: str | None) -> dict:
        return {"cursor": next_page_token} if next_page_token else {}

    def post_process(self, row: dict, context: dict | None = None) -> dict:
        customer, address, payment = row["customer"], row["shipping_address"], row["payment"]
        return {
            "id": row["id"],
            "number": row["number"],
            "status": row["status"],
            "currency": row["currency"],
            "total_cents": int(Decimal(row["total_price"]) * 100),
            "tax_rate": row["tax_rate"],
            "test": row["test"],
            "note": row["note"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "customer_id": customer["id"],
            "email": customer["email"],
            "first_name": customer["first_name"],
            "phone": customer["phone"],
            "city": address["city"],
            "postal_code": address["postal_code"],
            "country": address["country"],
            "gateway": payment["gateway"],
            "card_brand": payment["card"]["brand"],
            "first_sku": row["line_items"][0]["sku"],
        }


class OrdersTap(Tap):
    name = "tap-orders"
    message_writer_class = MsgSpecWriter
    config_jsonschema = th.PropertiesList(th.Property("api_url", th.StringType, required=True)).to_dict()

    def discover_streams(self) -> list[RESTStream]:
        return [Orders(self)]


if __name__ == "__main__":
    OrdersTap.cli()
