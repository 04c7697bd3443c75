"""Who asks: turns a request into an authorised one, without sending anything itself."""

from syncline.auth.auth import Auth, AuthField, Steps
from syncline.auth.certificate import Certificate
from syncline.auth.combined import Combined
from syncline.auth.device import DeviceCode, Poll, Polling
from syncline.auth.digest import Digest
from syncline.auth.hmac import Hmac
from syncline.auth.jwt import Jwt
from syncline.auth.keys import ApiKey, Basic, Bearer
from syncline.auth.mtls import Mtls
from syncline.auth.oauth1 import OAuth1
from syncline.auth.oauth2 import OAuth2
from syncline.auth.rotate import Rotate
from syncline.auth.session import Session
from syncline.auth.sigv4 import AwsSigV4

__all__ = [
    "ApiKey",
    "Auth",
    "AuthField",
    "AwsSigV4",
    "Basic",
    "Bearer",
    "Certificate",
    "Combined",
    "DeviceCode",
    "Digest",
    "Hmac",
    "Jwt",
    "Mtls",
    "OAuth1",
    "OAuth2",
    "Poll",
    "Polling",
    "Rotate",
    "Session",
    "Steps",
]
