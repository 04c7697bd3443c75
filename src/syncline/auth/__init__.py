"""Who asks: turns a request into an authorised one, without sending anything itself.

An integration needs one kind of the dozen, so each is imported when it is first asked for.
"""

from syncline.model import announce, late_names

_KINDS = {
    "api_key": "keys",
    "aws_sigv4": "sigv4",
    "basic": "keys",
    "bearer": "keys",
    "combined": "combined",
    "digest": "digest",
    "hmac": "hmac",
    "jwt": "jwt",
    "mtls": "mtls",
    "oauth1": "oauth1",
    "oauth2": "oauth2",
    "rotate": "rotate",
    "session": "session",
}
_HOMES = {
    "auth": ("Auth", "AuthField", "Steps"),
    "certificate": ("Certificate",),
    "combined": ("Combined",),
    "device": ("DeviceCode", "Poll", "Polling"),
    "digest": ("Digest",),
    "hmac": ("Hmac",),
    "jwt": ("Jwt",),
    "keys": ("ApiKey", "Basic", "Bearer"),
    "mtls": ("Mtls",),
    "oauth1": ("OAuth1",),
    "oauth2": ("OAuth2",),
    "rotate": ("Rotate",),
    "session": ("Session",),
    "sigv4": ("AwsSigV4",),
}

announce("auth", {kind: f"{__name__}.{home}" for kind, home in _KINDS.items()})

__all__ = sorted(name for names in _HOMES.values() for name in names)  # noqa: PLE0605 – a list of text, made here
__getattr__ = late_names(__name__, _HOMES)
