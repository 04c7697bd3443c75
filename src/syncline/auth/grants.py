"""What a token endpoint is asked with by each grant, and what comes of its answers (RFC 6749, 4 to 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import quote_plus

import msgspec

from syncline.auth.assertion import read_service_account
from syncline.auth.auth import Steps
from syncline.auth.client import Application, Pairs
from syncline.auth.oauth2_fields import URN, OAuth2Fields
from syncline.auth.redirect import read_callback
from syncline.auth.token_endpoint import Places, error_of, hints, read_answer, refusal, secrets_of, unsafe
from syncline.errors import AuthError, RequestError
from syncline.model import Reference, Request, Response, Secret, Token, reveal

GRANT_TYPES = {
    "device_code": f"{URN}grant-type:device_code",
    "jwt_bearer": f"{URN}grant-type:jwt-bearer",
    "token_exchange": f"{URN}grant-type:token-exchange",
}
UNREFRESHED = ("client_credentials", "jwt_bearer")
SECRET_FIELDS = ("client_secret", "refresh_token", "password", "subject_token", "actor_token")


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One way to ask for a token; `refresh` is the refresh token it uses up."""

    grant_type: str
    pairs: Pairs
    refresh: Secret | None = None


class Grants:
    """The token requests of one configuration, and what their answers mean. Pure: others send."""

    def __init__(self, fields: OAuth2Fields) -> None:
        self._fields = fields

    def ask(self, tries: list[Try], now: datetime, monotonic: float) -> Steps:
        sent: list[Request] = []
        for one in tries:
            sent.append(self.token_request(one, now, f"{monotonic} {len(sent)}"))
            response = yield sent[-1]
            if one is tries[-1] or error_of(read_answer(response))[0] != "invalid_grant":
                return self.token(one, sent, response, now, monotonic)
        raise AssertionError("the last try returns or raises")

    def refreshing(self, current: Token | None) -> list[Try]:
        """The rotated one first; then the configured one, which somebody may have renewed by hand since."""
        if self._fields.grant in UNREFRESHED:
            return []
        configured = Secret(reveal(self._fields.refresh_token)) if self._fields.refresh_token is not None else None
        tokens = dict.fromkeys(one for one in (current.refresh if current else None, configured) if one)
        wishes = self.wishes() if self._fields.grant == "refresh_token" else []
        return [Try(grant_type="refresh_token", pairs=[("refresh_token", one), *wishes], refresh=one) for one in tokens]

    def granting(self, now: datetime, seed: str) -> Try:
        """What a grant that needs nobody asks with."""
        pairs: Pairs = []
        if self._fields.grant == "password" and self._fields.username is not None and self._fields.password is not None:
            pairs = [
                ("username", Secret(reveal(self._fields.username))),
                ("password", Secret(reveal(self._fields.password))),
            ]
        elif self._fields.grant == "jwt_bearer":
            return Try(grant_type=GRANT_TYPES["jwt_bearer"], pairs=[("assertion", self._assertion(now, seed))])
        elif self._fields.grant == "token_exchange":
            for name in ("subject_token", "actor_token"):
                if (token := getattr(self._fields, name)) is not None:
                    pairs += [(name, Secret(reveal(token))), (f"{name}_type", getattr(self._fields, f"{name}_type"))]
        return Try(grant_type=GRANT_TYPES.get(self._fields.grant, self._fields.grant), pairs=[*pairs, *self.wishes()])

    def _assertion(self, now: datetime, seed: str) -> Secret:
        """Scopes go into it, as Google and DocuSign have it; token_params may say them again beside it."""
        assertion = self._fields.assertion
        if assertion is None:
            assert self._fields.service_account is not None
            assertion = read_service_account(self._fields.service_account, self._fields.subject).assertion
        defaults = {"aud": self.address("token_url")}
        if self._fields.client_id is not None:
            defaults["iss"] = reveal(self._fields.client_id)
        if self._fields.scopes:
            defaults["scope"] = self._fields.scope_separator.join(self._fields.scopes)
        return assertion.signed(defaults, now, seed)

    def wishes(self) -> Pairs:
        """What the token shall be good for."""
        pairs: Pairs = []
        if self._fields.scopes:
            pairs.append(("scope", self._fields.scope_separator.join(self._fields.scopes)))
        if self._fields.audience is not None:
            pairs.append(("audience", Secret(reveal(self._fields.audience))))
        return pairs

    def address(self, field: str) -> str:
        """An endpoint's address, checked: a reference may have turned into anything. Raises AuthError."""
        value = getattr(self._fields, field)
        if field == "token_url" and value is None and self._fields.service_account is not None:
            value = read_service_account(self._fields.service_account, None).token_url
        url = reveal(value or "")
        if wrong := unsafe(url):
            raise AuthError(f"{field} {wrong}", hint=f"write the endpoint's full https address into {field}")
        return url

    def request(self, url: str, pairs: Pairs, now: datetime, seed: str) -> Request:
        application = Application(
            name=reveal(self._fields.client_id) if self._fields.client_id is not None else None,
            secret=reveal(self._fields.client_secret) if self._fields.client_secret is not None else None,
            auth=self._fields.client_auth,
            assertion=self._fields.client_assertion,
            audience=self.address("token_url"),
        )
        said = [*pairs, *application.identity(now, seed)]
        named = tuple((self._fields.param_names.get(name, name), value) for name, value in said)
        headers = {"Accept": "application/json", **application.headers()}
        # repeatable: if the answer to a rotation is lost, so is the new token, and asking again is all that is left
        request = Request(method="POST", url=url, headers=headers, repeatable=True)
        if self._fields.token_body == "json":  # noqa: S105 – the name of a format
            return msgspec.structs.replace(request, json=dict(named))
        return msgspec.structs.replace(request, form=named).with_headers(
            {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def token_request(self, one: Try, now: datetime, seed: str) -> Request:
        refreshing = one.refresh is not None
        url = self.address("refresh_url" if refreshing and self._fields.refresh_url is not None else "token_url")
        params = (
            self._fields.refresh_params
            if refreshing and self._fields.refresh_params is not None
            else self._fields.token_params
        )
        return self.request(url, [("grant_type", one.grant_type), *one.pairs, *clear(params)], now, seed)

    def token(self, one: Try, sent: list[Request], response: Response, now: datetime, began: float) -> Token:
        """The token of a good answer; a refresh token in it replaces the one that was used (RFC 6749, 6)."""
        document, token = read_answer(response), None
        if response.status < 300 and error_of(document)[0] is None:
            places = Places(
                token=self._fields.token_path,
                refresh=self._fields.refresh_path,
                expires=self._fields.expires_path,
                lifetime=self._fields.lifetime,
            )
            token = places.read(document, response, now, began)
        if token is None:
            raise self.refusal(sent, response, f"the grant {_plain(one.grant_type)}", "an access token")
        kept = None if self._fields.grant in UNREFRESHED else token.refresh or one.refresh
        return msgspec.structs.replace(token, refresh=kept)

    def refusal(self, sent: list[Request], response: Response, asked: str, lacking: str) -> RequestError:
        secrets = [*self._secrets(), *(secret for request in sent for secret in secrets_of(request))]
        return refusal(sent[-1], response, asked=asked, lacking=lacking, hints=self._hints, secrets=secrets)

    def code(self, params: Mapping[str, str], state: str) -> str:
        """What a redirect brought. Raises AuthError."""
        issuer = reveal(self._fields.issuer) if self._fields.issuer is not None else None
        return read_callback(params, state, issuer, self._hints, list(self._secrets()))

    @property
    def _hints(self) -> dict[str, str]:
        return hints(self._fields.grant, self._other_client_auth())

    def _other_client_auth(self) -> str:
        """What else a server may want that does not accept ours."""
        secret = reveal(self._fields.client_secret) if self._fields.client_secret is not None else ""
        if self._fields.client_auth == "basic":
            return "post" if quote_plus(secret) == secret else "basic_plain, or post"
        return "basic"

    def _secrets(self) -> Iterator[str]:
        for name in SECRET_FIELDS:
            if (value := getattr(self._fields, name)) is not None:
                yield reveal(value)


def clear(params: Mapping[str, str | Reference | Secret]) -> Pairs:
    """Further parameters, with what their references stand for."""
    return [(name, Secret(reveal(value))) for name, value in params.items()]


def _plain(grant_type: str) -> str:
    return next((name for name, urn in GRANT_TYPES.items() if urn == grant_type), grant_type)
