"""The key that tokens are sealed with, and where it is: the environment, a file of its own, or the system's keyring."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from syncline.errors import AuthError

VARIABLE = "SYNCLINE_KEY"
KEYRING = "keyring"
SERVICE, USER = "syncline", "token key"
SIZE = 32
MAKE_ONE = "make one with: openssl rand -base64 32"


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """256 bits. `id` names the key without telling it; `place` is where it is kept, for people."""

    value: bytes
    place: str

    @property
    def id(self) -> str:
        return hashlib.sha256(b"syncline key id" + self.value).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"Key({self.id})"


def key_file(environment: Mapping[str, str]) -> Path:
    """Where this user's key is, away from the tokens: never in the project's folder."""
    if os.name == "nt" and environment.get("APPDATA"):
        return Path(environment["APPDATA"]) / "syncline" / "key"
    base = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".config")
    return Path(base) / "syncline" / "key"


def find_keys(environment: Mapping[str, str]) -> list[Key]:
    """The keys there are: the first seals, every one of them opens, so that a key can be replaced. Raises AuthError."""
    if text := environment.get(VARIABLE):
        return _read(text, f"the variable {VARIABLE}")
    path = key_file(environment)
    try:
        text = path.read_text(encoding="ascii")
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise AuthError(f"the key file {path} cannot be read", evidence=str(error), hint=f"ls -l {path}") from None
    if os.name != "nt" and stat.S_IMODE(mode) & 0o077:
        raise AuthError(f"the key file {path} can be read by others", hint=f"chmod 600 {path}")
    return _read(text, str(path))


def make_key(environment: Mapping[str, str], *, keyring: bool = False) -> Key:
    """A new key in the key file (0600), or in the system's keyring with a note in that file. Raises AuthError.

    Where two processes make one at the same moment, both get the same.
    """
    text = base64.b64encode(secrets.token_bytes(SIZE)).decode("ascii")
    if keyring:
        text = _keyring_key(make=text) or text
    path = key_file(environment)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"key.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(KEYRING if keyring else text)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # unlike a rename, this never replaces a key that another process has made meanwhile
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        raise AuthError(
            f"no key to seal tokens with, and {path} cannot be written",
            evidence=str(error),
            hint=f'export {VARIABLE}="$(openssl rand -base64 32)", and keep it where later runs get it from',
        ) from None
    return find_keys({**environment, VARIABLE: ""})[0]


def _read(text: str, place: str) -> list[Key]:
    keys = []
    for word in text.replace(",", " ").split():
        shown = word
        if word == KEYRING:
            shown, place = _keyring_key() or "", "the system's keyring"
        keys.append(Key(value=_bytes(shown, place), place=place))
    if not keys:
        raise AuthError(f"{place} is empty", hint=MAKE_ONE)
    return keys


def _bytes(text: str, place: str) -> bytes:
    try:
        if len(text) == SIZE * 2:
            return bytes.fromhex(text)
        standard = text.replace("-", "+").replace("_", "/")
        value = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (ValueError, binascii.Error):
        value = b""
    if len(value) != SIZE:
        raise AuthError(f"{place} holds no key of 32 bytes in base64 or hex", hint=MAKE_ONE)
    return value


def _keyring_key(make: str | None = None) -> str | None:
    """The key in the system's keyring; `make` becomes the key where there is none."""
    try:
        import keyring  # late: an optional extra
        from keyring.errors import KeyringError
    except ImportError:
        raise AuthError("the system's keyring needs a package", hint="pip install 'syncline[keyring]'") from None
    try:
        found = keyring.get_password(SERVICE, USER)
        if found is None and make is not None:
            keyring.set_password(SERVICE, USER, make)
            found = make
    except KeyringError as error:
        raise AuthError(
            "the system's keyring cannot be used here",
            evidence=str(error)[:200] or type(error).__name__,
            hint=f"unlock it; or, without a desktop, set {VARIABLE} ({MAKE_ONE})",
        ) from None
    return found
