"""What talks to the world for us: one request's way, as one list of layers, and the transport at its end."""

from syncline.http.bodies import decode_json_body, decode_ndjson_body
from syncline.http.client import Client
from syncline.http.connection import Connection, Timeouts
from syncline.http.layers import Rules, layered
from syncline.http.origins import Origins
from syncline.http.send import Send
from syncline.http.status import status_error
from syncline.http.tokens.current import Tokens, TokenStore

__all__ = [
    "Client",
    "Connection",
    "Origins",
    "Rules",
    "Send",
    "Timeouts",
    "TokenStore",
    "Tokens",
    "decode_json_body",
    "decode_ndjson_body",
    "layered",
    "status_error",
]
