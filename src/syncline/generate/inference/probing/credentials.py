"""What a probe authorises its requests with: secrets by reference, never as they are."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from syncline.auth import ApiKey, AuthField, Bearer
from syncline.auth.auth import Auth
from syncline.errors import UsageError
from syncline.generate.inference.operation import Parameter
from syncline.generate.inference.rules.credentials import is_credential
from syncline.model import Part, Reference, Text


class Credentials(Part):
    """What goes with every request of a probe: secrets by reference, as in a file."""

    auth: AuthField = Field(default=None, description="How requests are authorised.")
    headers: dict[str, Text] = Field(default={}, description="Headers of every request.")
    params: dict[str, Text] = Field(default={}, description="Query parameters of every request.")

    @property
    def given(self) -> bool:
        return self.auth is not None or bool(self.headers) or bool(self.params)

    def with_params(self, query: Mapping[str, str]) -> tuple[Credentials, dict[str, str]]:
        """These with the references among an address's parameters, and the other parameters.

        Raises UsageError for a parameter that holds a secret as it stands.
        """
        references = {name: value for name, value in query.items() if "${" in value}
        plain = {name: value for name, value in query.items() if name not in references}
        for name in plain:
            if is_credential(Parameter(name=name, description="api key")):
                raise UsageError(
                    f"the parameter {name!r} of the address looks like a secret, which shells, logs and files would keep",
                    hint=f"put it into the environment and write '{name}=${{NAME}}' in the address",
                )
        if not references:
            return self, plain
        return Credentials.model_validate({**self.to_data(), "params": {**self.params, **references}}), plain

    def as_auth(self) -> Auth | None:
        """The same as a file would say it: `auth` itself, or what a header or parameter with a reference amounts to."""
        if self.auth is not None:
            return self.auth
        for where, pairs in (("header", self.headers), ("query", self.params)):
            for name, value in pairs.items():
                if isinstance(value, Reference):
                    return _key(name, where, value)
        return None


def _key(name: str, where: str, value: Reference) -> Auth:
    word, _, rest = value.text.partition(" ")
    prefixed = bool(rest) and "${" not in word
    if name.lower() == "authorization" and prefixed and word.lower() == "bearer":
        return Bearer(token=Reference(rest))
    key = {"key": Reference(rest), "prefix": word} if prefixed else {"key": value}
    return ApiKey.model_validate({"in": where, "name": name, **key})
