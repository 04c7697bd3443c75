"""Who asks: turns a request into an authorised one, without sending anything itself."""

from syncline.auth.auth import Auth, AuthField, Steps
from syncline.auth.certificate import Certificate
from syncline.auth.combined import Combined
from syncline.auth.device import DeviceCode, Poll, Polling
from syncline.auth.hmac import Hmac
from syncline.auth.jwt import Jwt
from syncline.auth.keys import ApiKey, Basic, Bearer
from syncline.auth.oauth2 import OAuth2

__all__ = [
    "ApiKey",
    "Auth",
    "AuthField",
    "Basic",
    "Bearer",
    "Certificate",
    "Combined",
    "DeviceCode",
    "Hmac",
    "Jwt",
    "OAuth2",
    "Poll",
    "Polling",
    "Steps",
]
