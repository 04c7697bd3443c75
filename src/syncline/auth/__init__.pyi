"""For type checkers: what `__init__.py` imports when it is first used."""

from syncline.auth.auth import Auth as Auth, AuthField as AuthField, Steps as Steps
from syncline.auth.certificate import Certificate as Certificate
from syncline.auth.combined import Combined as Combined
from syncline.auth.device import DeviceCode as DeviceCode, Poll as Poll, Polling as Polling
from syncline.auth.digest import Digest as Digest
from syncline.auth.hmac import Hmac as Hmac
from syncline.auth.jwt import Jwt as Jwt
from syncline.auth.keys import ApiKey as ApiKey, Basic as Basic, Bearer as Bearer
from syncline.auth.mtls import Mtls as Mtls
from syncline.auth.oauth1 import OAuth1 as OAuth1
from syncline.auth.oauth2 import OAuth2 as OAuth2
from syncline.auth.rotate import Rotate as Rotate
from syncline.auth.session import Session as Session
from syncline.auth.sigv4 import AwsSigV4 as AwsSigV4
