"""Tokens from an authorisation server (RFC 6749), got in any of the ways that servers offer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from syncline.auth.auth import Steps
from syncline.auth.client import Pairs
from syncline.auth.device import SLOW_DOWN, DeviceCode, Poll, Polling, read_device_code
from syncline.auth.grants import GRANT_TYPES, Grants, Try, clear
from syncline.auth.oauth2_fields import OAuth2Fields
from syncline.auth.redirect import astray, challenge_of
from syncline.auth.token_endpoint import error_of, read_answer
from syncline.auth.values import ask_with, bear
from syncline.errors import AuthError
from syncline.model import Request, Response, Secret, Token, register, reveal

INTERACTIVE = ("authorization_code", "device_code")


@register("auth")
class OAuth2(OAuth2Fields):
    """Asks a token endpoint for an access token, early enough that no request meets an expired one."""

    @property
    def _grants(self) -> Grants:
        return Grants(self)

    def fresh(self, token: Token, monotonic: float) -> bool:
        """A token that lives for less than twice `early` is used for half of its life."""
        seconds = token.extra.get("expires_in")
        return token.fresh(monotonic, self.early if seconds is None else min(self.early, seconds / 2))

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        if self.in_ == "query":
            return ask_with(request, token, self.name)
        return bear(request, token, self.header, self.prefix)

    def refused(self, response: Response) -> bool:
        """401, or any refusal that names the token as its reason (RFC 6750, 3.1)."""
        challenge = response.headers.get("WWW-Authenticate", "")
        return response.status == 401 or (400 <= response.status < 500 and "invalid_token" in challenge)

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        tries = self._grants.refreshing(current)
        if self.grant not in (*INTERACTIVE, "refresh_token"):
            tries.append(self._grants.granting(now, f"{monotonic}"))
        if not tries:
            raise AuthError(
                "nobody has agreed yet that this integration may use the account"
                if current is None
                else "the log-in has run out, and the server gave no refresh token",
                hint="syncline login FILE",
            )
        return (yield from self._grants.ask(tries, now, monotonic))

    def authorization(self, state: str, verifier: str, redirect_uri: str) -> str:
        """The address where somebody agrees (RFC 6749, 4.1.1), with the S256 challenge of `verifier` (RFC 7636, 4).

        `state` and `verifier` are random and used once. Raises AuthError where an address cannot be used.
        """
        url = self._grants.address("authorize_url")
        if wrong := astray(redirect_uri):
            raise AuthError(
                f"redirect_uri {wrong}", hint="leave redirect_uri out, or write http://127.0.0.1:8765/callback"
            )
        pairs: Pairs = [
            ("response_type", "code"),
            ("client_id", reveal(self.client_id or "")),
            ("redirect_uri", redirect_uri),
            ("state", state),
            ("code_challenge", challenge_of(verifier)),
            ("code_challenge_method", "S256"),
            *self._grants.wishes(),
            *clear(self.authorize_params),
        ]
        query = urlencode([(self.param_names.get(name, name), reveal(value)) for name, value in pairs])
        return f"{url}{'&' if urlsplit(url).query else '?'}{query}"

    def check_callback(self, params: Mapping[str, str], state: str) -> str:
        """The code that a redirect brought. Raises AuthError for one that we did not ask for, or that says no.

        `state` must come back as it was sent, and `iss` be the issuer, where one is configured (RFC 9207, 2.4).
        """
        return self._grants.code(params, state)

    def exchange(self, code: str, verifier: str, redirect_uri: str, now: datetime, monotonic: float) -> Steps:
        """The token for a code (RFC 6749, 4.1.3); `redirect_uri` as it was in the authorisation."""
        pairs: Pairs = [
            ("code", Secret(code)),
            ("redirect_uri", redirect_uri),
            ("code_verifier", Secret(verifier)),
        ]
        return (yield from self._grants.ask([Try(grant_type="authorization_code", pairs=pairs)], now, monotonic))

    def device_start(self, now: datetime) -> Request:
        """Asks for a code to be typed in elsewhere (RFC 8628, 3.1). Raises AuthError."""
        pairs = [*self._grants.wishes(), *clear(self.authorize_params)]
        return self._grants.request(self._grants.address("device_url"), pairs, now, "device")

    def device_code(self, answer: Response) -> DeviceCode:
        """What the answer says to show and to poll with (RFC 8628, 3.2). Raises AuthError."""
        document = read_answer(answer)
        code = None if answer.status >= 300 or error_of(document)[0] else read_device_code(document)
        if code is None:
            sent = [Request(method="POST", url=answer.url)]
            raise self._grants.refusal(sent, answer, "to start a log-in", "a device_code")
        return code

    def device_poll(self, code: DeviceCode, now: datetime, monotonic: float) -> Polling:
        """Asks until somebody has agreed (RFC 8628, 3.4 and 3.5), no quicker than told. Raises AuthError."""
        interval, waited = code.interval, 0.0
        one = Try(grant_type=GRANT_TYPES["device_code"], pairs=[("device_code", code.device_code)])
        while waited + interval <= code.expires_in:
            waited += interval
            request = self._grants.token_request(one, now, f"{monotonic} {waited}")
            response = yield Poll(wait=interval, request=request)
            error = error_of(read_answer(response))[0]
            if error == "slow_down":
                interval += SLOW_DOWN
            elif error != "authorization_pending":
                began = response.received_at - response.elapsed if response.received_at else monotonic
                return self._grants.token(one, [request], response, now, began)
        raise AuthError("nobody agreed before the code ran out", hint="start syncline login FILE again")
