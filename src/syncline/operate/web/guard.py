"""Who may look at the dashboard, and who may act: rules about requests, none of which asks anybody."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

TOKEN_BYTES = 32


class Guard:
    """The name that the server goes by, the token that a browser must have, and the proof that a form is ours.

    `hosts` are the exact values of Host that are answered: another site's name that was made to point here is none of them.
    """

    def __init__(self, hosts: frozenset[str], port: int, token: str | None = None) -> None:
        self.hosts = hosts
        self.token = token or secrets.token_urlsafe(TOKEN_BYTES)
        self.cookie = f"syncline_{port}"  # browsers keep one cookie of a name for all ports of a host
        self.proof = hmac.new(self.token.encode(), b"syncline forms", sha256).hexdigest()

    def knows_host(self, host: str | None) -> bool:
        return host is not None and host.lower() in self.hosts

    def knows(self, token: str | None) -> bool:
        """Whether this is the token; as slow for a wrong one as for the right one."""
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def came_from_us(self, origin: str | None, host: str | None, proof: object) -> bool:
        """Whether a form was sent from a page of ours: its origin is this very server, and it holds our proof."""
        if not self.knows_host(host) or origin != f"http://{(host or '').lower()}":
            return False
        return isinstance(proof, str) and hmac.compare_digest(proof.encode(), self.proof.encode())


def hosts_of(address: str, port: int, more: tuple[str, ...] = ()) -> frozenset[str]:
    """What a browser may call a server at this address."""
    names = {address, "localhost"} if address in ("127.0.0.1", "::1") else {address}
    shown = {f"[{name}]" if ":" in name else name for name in names}
    return frozenset({f"{name}:{port}" for name in shown} | {name.lower() for name in more})


def headers(nonce: str) -> dict[str, str]:
    """Nothing from elsewhere, nothing framed, nothing kept; style and script by this answer's nonce alone."""
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Server": "Syncline",
    }
