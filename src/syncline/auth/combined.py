"""Several ways at once: a token and a signature, a key and a password."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth, Steps
from syncline.auth.certificate import Certificate
from syncline.model import Request, Response, Token, part_field, register

_rule: Any = get_args(part_field("auth"))[1]


@register("auth")
class Combined(Auth):
    """Applies each in the order written; a signature belongs after what it signs. A list in the file means this."""

    kind: Literal["combined"] = Field(default="combined", description="Several at once; usually written as a list")
    auths: tuple[Annotated[Auth, _rule], ...] = Field(min_length=1, description="What is applied, in this order")

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return {"auths": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if sum(auth.needs_token for auth in self.auths) > 1:
            raise PydanticCustomError("combined_auth", "only one of a combination can have a token that runs out", {})
        return self

    def to_data(self) -> Any:
        return [auth.to_data() for auth in self.auths]

    @property
    def needs_token(self) -> bool:
        return any(auth.needs_token for auth in self.auths)

    @property
    def signs_time(self) -> bool:
        return any(auth.signs_time for auth in self.auths)

    @property
    def client_certificate(self) -> Certificate | None:
        return next((auth.client_certificate for auth in self.auths if auth.client_certificate), None)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(address for auth in self.auths for address in auth.addresses)

    @property
    def renewals(self) -> int:
        return max(auth.renewals for auth in self.auths)

    def at(self, base_url: str) -> Auth:
        return self.model_copy(update={"auths": tuple(auth.at(base_url) for auth in self.auths)})

    def fresh(self, token: Token, monotonic: float) -> bool:
        return all(auth.fresh(token, monotonic) for auth in self.auths if auth.needs_token)

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        for auth in self.auths:
            request = auth.sign(request, token if auth.needs_token else None, now)
        return request

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        for auth in self.auths:
            if auth.needs_token:
                return auth.obtain(current, now, monotonic, challenge)
        return super().obtain(current, now, monotonic, challenge)

    def refused(self, response: Response) -> bool:
        return any(auth.refused(response) for auth in self.auths)

    def stale(self, response: Response) -> bool:
        return any(auth.stale(response) for auth in self.auths)
