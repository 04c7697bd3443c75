"""Several keys for one API, used in turn."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth, Steps
from syncline.model import Request, Response, Secret, Token, part_field, register

REST = 60.0
"""Seconds that a key is left alone where the answer does not say for how long."""
MOST_REST = 86_400.0
EXHAUSTED = 429

_rule: Any = get_args(part_field("auth"))[1]


@register("auth")
class Rotate(Auth):
    """Uses one key until it is refused (401) or used up (429), then the one that rested longest."""

    kind: Literal["rotate"] = Field(default="rotate", description="Several keys, the next one after a 401 or 429")
    auths: tuple[Annotated[Auth, _rule], ...] = Field(
        min_length=2, description="The keys: blocks such as {kind: bearer, …}"
    )

    @model_validator(mode="after")
    def _has_no_tokens(self) -> Self:
        if any(auth.needs_token for auth in self.auths):
            raise PydanticCustomError("rotate", "keys that are used in turn cannot have tokens that run out", {})
        return self

    @property
    def needs_token(self) -> bool:
        return True

    @property
    def renewals(self) -> int:
        return len(self.auths) - 1

    def fresh(self, token: Token, monotonic: float) -> bool:
        """Whether the token's key has rested; one that is not fresh is the best there is."""
        return bool(token.extra["rests"][token.extra["index"]] <= monotonic)

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        if token is None:
            raise TypeError("which key's turn it is stands in the token")
        auth: Auth = self.auths[token.extra["index"]]
        return auth.sign(request, None, now)

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        """The key whose rest ends first. The token says which one it is, and until when each of the others rests."""
        yield from ()  # a generator of no requests
        rests: list[float] = list(current.extra["rests"]) if current else [0.0] * len(self.auths)
        if current is not None and challenge is not None:
            rests[current.extra["index"]] = monotonic + _rest(challenge)
        after = current.extra["index"] + 1 if current else 0
        in_turn = [(after + step) % len(rests) for step in range(len(rests))]
        index = min(in_turn, key=lambda one: max(rests[one], monotonic))
        return Token(access=Secret(str(index)), obtained_at=now, extra={"index": index, "rests": rests})

    def refused(self, response: Response) -> bool:
        return response.status in (401, EXHAUSTED)


def _rest(challenge: Response) -> float:
    """A key that was used up rests as long as the server says; one that was refused is the last resort."""
    if challenge.status != EXHAUSTED:
        return MOST_REST
    told = challenge.headers.get("Retry-After", "")
    return min(float(told), MOST_REST) if told.isascii() and told.isdigit() else REST
