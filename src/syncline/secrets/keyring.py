"""`${keyring:service/user}`: the keyring of the system (macOS Keychain, Windows Credential Locker, Secret Service)."""

from __future__ import annotations

import shlex

from syncline.secrets.managers import Missing, Steps, Surroundings


def read(name: str, around: Surroundings) -> Steps:
    """The password kept for a user of a service; the last `/` parts the two."""
    service, slash, user = name.rpartition("/")
    if not slash or not service or not user:
        raise Missing(f"${{keyring:{name}}} is not service/user", "write ${keyring:shop/anna}")
    try:
        import keyring  # late: an extra
    except ImportError:
        raise Missing("the package keyring is not installed", "pip install 'syncline[keyring]'") from None

    def ask() -> str | None:
        try:
            return keyring.get_password(service, user)
        except Exception as error:  # every backend raises its own kinds
            raise Missing(
                f"the system's keyring does not answer: {type(error).__name__}",
                "unlock it, or choose a backend with PYTHON_KEYRING_BACKEND; servers often have none",
            ) from None

    value = yield ask
    if not value:
        fix = f"keyring set {shlex.quote(service)} {shlex.quote(user)}"
        raise Missing(f"the keyring has no password of {user!r} for {service!r}", fix)
    return str(value)
