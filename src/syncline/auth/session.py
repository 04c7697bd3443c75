"""Logging in with one request, and showing what it gave with every other."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth, Steps
from syncline.auth.token_endpoint import error_of, lifetime, secrets_of, unsafe
from syncline.auth.values import HeaderName, Referring, harmless, header_value
from syncline.errors import AuthError, RateLimitedError, RequestError, ServerError
from syncline.model import (
    LITERAL_SECRET,
    MISSING,
    BodyTooDeep,
    Duration,
    MalformedBody,
    PathError,
    Request,
    Response,
    Secret,
    Text,
    Token,
    decode_json,
    parse_path,
    part_field,
    read_path,
    register,
    reveal,
)

_SECRET_NAME = re.compile(r"(?i)passw|passphrase|secret|token|api_?key|credential|\bpin\b")
_rule: Any = get_args(part_field("auth"))[1]


def _literal(value: Any, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where a member that sounds secret is written out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and inner and _SECRET_NAME.search(str(name)):
                return (*path, str(name))
            if (found := _literal(inner, (*path, str(name)))) is not None:
                return found
    return None


@register("auth")
class Session(Auth):
    """Logs in once, sends the token it was given, and logs in again when that is refused or has run out."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["session"] = Field(default="session", description="A log-in request, whose answer has the token")
    url: Text | None = Field(default=None, description="Where to log in, if it is not below base_url; https")
    path: str | None = Field(default=None, description="Where to log in, below base_url: /login")
    method: Literal["POST", "GET", "PUT"] = Field(default="POST", description="The log-in request's method")
    document: Referring | None = Field(
        default=None, alias="json", description="Its JSON body, secrets by reference: {user: me, password: ${P}}"
    )
    form: dict[str, Text] = Field(default={}, description="Its form, instead of a JSON body")
    headers: dict[str, Text] = Field(default={}, description="Its further headers")
    login_auth: Annotated[Auth, _rule] | None = Field(
        default=None, description="How it is authorised: {kind: basic, …}"
    )
    token: str | None = Field(
        default=None, description="Where the token stands in the answer: data.token, or . for all of it"
    )
    token_header: HeaderName | None = Field(default=None, description="The header of the answer that is the token")
    token_cookie: HeaderName | None = Field(default=None, description="The cookie of the answer that is the token")
    in_: Literal["header", "cookie", "query"] | None = Field(
        default=None, alias="in", description="How the token is sent: header, query, or cookie; as it came if left out"
    )
    name: HeaderName | None = Field(
        default=None, description="Name of that header, parameter or cookie; Authorization, or the cookie's own name"
    )
    template: str | None = Field(
        default=None,
        description="Its value, with {token} in it; 'Bearer {token}' for Authorization, else the token alone",
    )
    expires_path: str | None = Field(
        default=None, description="Where the answer says how long, or until when, it holds"
    )
    lifetime: Duration | None = Field(default=None, description="How long it holds where the answer does not say")
    early: Duration = Field(default=10.0, description="How long before its end the log-in is repeated")
    renew_on: tuple[int, ...] = Field(default=(401,), description="Statuses that say it has run out")

    @field_validator("document", "form")
    @classmethod
    def _keeps_secrets_out(cls, value: Any, info: Any) -> Any:
        if (place := _literal(value, ())) is not None:
            what = "a secret stands in the file; move it to the environment and write ${NAME} here"
            raise PydanticCustomError(LITERAL_SECRET, what, {"loc": list(place)})
        return value

    @field_validator("token", "expires_path")
    @classmethod
    def _is_path(cls, value: str | None) -> str | None:
        try:
            if value is not None and value != ".":
                parse_path(value)
        except PathError as error:
            raise PydanticCustomError("path", "{said}", {"said": str(error)}) from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for names, most in (
            (("url", "path"), 1),
            (("document", "form"), 1),
            (("token", "token_header", "token_cookie"), 1),
        ):
            given = [name for name in names if getattr(self, name)]
            if len(given) > most or (not given and names[0] != "document"):
                shown = " or ".join(names).replace("document", "json")
                raise PydanticCustomError("session", "write one of {names}", {"names": shown, "loc": [names[0]]})
        if isinstance(self.url, str) and (wrong := unsafe(self.url)):
            raise PydanticCustomError("session", "url {wrong}", {"wrong": wrong, "loc": ["url"]})
        if self.path is not None and (not self.path.startswith("/") or self.path.startswith("//")):
            raise PydanticCustomError("session", "path begins with one slash: /login", {"loc": ["path"]})
        if self.template is not None and "{token}" not in self.template:
            raise PydanticCustomError("session", "template has no {token} in it", {"loc": ["template"]})
        if self.place == "query" and self.name is None:
            raise PydanticCustomError("session", "in: query needs the parameter's name", {"loc": ["name"]})
        if self.login_auth is not None and self.login_auth.needs_token:
            raise PydanticCustomError(
                "session", "login_auth cannot have a token that runs out", {"loc": ["login_auth"]}
            )
        return self

    @property
    def needs_token(self) -> bool:
        return True

    @property
    def addresses(self) -> tuple[str, ...]:
        url = reveal(self.url) if self.url is not None else ""
        return () if unsafe(url) else (url,)

    @property
    def place(self) -> str:
        return self.in_ or ("cookie" if self.token_cookie else "header")

    def at(self, base_url: str) -> Self:
        if self.path is None:
            return self
        return self.model_copy(update={"url": Secret(base_url.rstrip("/") + self.path), "path": None})

    def fresh(self, token: Token, monotonic: float) -> bool:
        seconds = token.extra.get("expires_in")
        return token.fresh(monotonic, self.early if seconds is None else min(self.early, seconds / 2))

    def refused(self, response: Response) -> bool:
        return response.status in self.renew_on

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        if token is None:
            raise TypeError("a request within a session is signed with its token")
        name = self.name or (self.token_cookie if self.place == "cookie" else None) or "Authorization"
        usual = "Bearer {token}" if self.place == "header" and name.lower() == "authorization" else "{token}"
        value = (self.template or usual).replace("{token}", token.access.reveal())
        if self.place == "query":
            return request.with_params({name: Secret(value)})
        if self.place == "header":
            return request.with_headers({name: header_value(value, "the session's token")})
        others = [reveal(text) for header, text in request.headers.items() if header.lower() == "cookie" and text]
        cookie = header_value(f"{name}={value}", "the session's token").reveal()
        return request.with_headers({"Cookie": Secret("; ".join([*others, cookie]))})

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        request = self._log_in(now)
        response = yield request
        document = _read(response)
        access, seconds = self._token(response, document, now)
        if response.status >= 400 or access is None:
            raise self._refusal(request, response, document)
        return Token(
            access=Secret(access),
            expires_at=None if seconds is None else monotonic + seconds,
            obtained_at=now,
            extra={} if seconds is None else {"expires_in": seconds},
        )

    def _log_in(self, now: datetime) -> Request:
        url = reveal(self.url or "")
        if wrong := unsafe(url):
            raise AuthError(f"the log-in's url {wrong}", hint="write the full https address into url")
        headers = {name: header_value(reveal(value), f"the header {name}") for name, value in self.headers.items()}
        request = Request(
            method=self.method,
            url=url,
            headers={"Accept": "application/json", **headers},
            json=self.document,
            form=tuple((name, Secret(reveal(value))) for name, value in self.form.items()),
            repeatable=True,
        )
        return self.login_auth.sign(request, None, now) if self.login_auth else request

    def _token(self, response: Response, document: Any, now: datetime) -> tuple[str | None, float | None]:
        """The token and the seconds that it holds, as far as the answer has them."""
        seconds = None
        if self.expires_path is not None:
            seconds = lifetime(read_path(parse_path(self.expires_path), document), response.date or now)
        found: Any = None
        if self.token is not None:
            found = document if self.token == "." else read_path(parse_path(self.token), document)  # noqa: S105 – a path
        elif self.token_header is not None:
            found = response.headers.get(self.token_header)
        elif self.token_cookie is not None:
            found, age = _cookie(response, self.token_cookie)
            seconds = seconds or age
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        access = found if isinstance(found, str) and found else None
        return access, seconds if seconds is not None else self.lifetime

    def _refusal(self, request: Request, response: Response, document: Any) -> RequestError:
        """Why there is no token; nothing secret comes along, nor any value of the answer but its error."""
        place = request.shown.partition(" ")[2]
        if response.status == 429:
            return RateLimitedError(f"the log-in at {place} asks to wait", status=429)
        if response.status >= 500:
            return ServerError(f"the log-in at {place} answered {response.status}", status=response.status)
        members = document if isinstance(document, dict) else {}
        error, description = error_of(members)
        said = ": ".join(str(one) for one in (error, description) if one)
        if not said:
            found = f"members {', '.join(members)}" if members else f"{len(response.body)} bytes"
            said = f"the answer has {found}"
        if response.status in (400, 401, 403, 422):
            what, hint = (
                f"the log-in at {place} was refused",
                "check the user name and password, and that the account is not locked",
            )
        else:
            wanted = next(f"{name}: {value}" for name in _TOKENS if (value := getattr(self, name)))
            what = f"the log-in at {place} answered {response.status} without a token"
            hint = f"look at the answer and correct {wanted}; or the credentials are wrong"
        evidence = harmless(said, [*secrets_of(request), *_texts(self.document)])
        return AuthError(what, status=response.status, evidence=evidence, hint=hint)


_TOKENS = ("token", "token_header", "token_cookie")


def _read(response: Response) -> Any:
    try:
        return decode_json(response.body)
    except (MalformedBody, BodyTooDeep):
        return MISSING


def _cookie(response: Response, name: str) -> tuple[str | None, float | None]:
    """The cookie's value and its Max-Age (RFC 6265, 5.2); one that is deleted is none."""
    for line in response.headers.getall("Set-Cookie", []):
        first, *attributes = (piece.strip() for piece in line.split(";"))
        found, _, value = first.partition("=")
        if found != name or not value:
            continue
        ages = [text for key, _, text in (one.partition("=") for one in attributes) if key.lower() == "max-age"]
        age = float(ages[-1]) if ages and re.fullmatch(r"-?\d{1,10}", ages[-1]) else None
        if age is None or age > 0:
            return value, age
    return None, None


def _texts(value: Any) -> Iterator[str]:
    """Every secret within a body."""
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
