"""A client certificate, shown where a server asks for one."""

from __future__ import annotations

import ssl
import tempfile
from contextlib import suppress
from pathlib import Path

from syncline.auth import Certificate
from syncline.errors import AuthError
from syncline.http.validity import Validity, validity_of
from syncline.model import Secret, reveal

_PEM = "-----BEGIN"


def show(context: ssl.SSLContext, certificate: Certificate) -> Validity | None:
    """Let connections made with this context show the certificate where it is asked for; gives how long it holds.

    Raises AuthError.
    """
    # OpenSSL reads files only, so PEM texts become files for a moment, in a folder that nobody else may enter
    with tempfile.TemporaryDirectory(prefix="syncline-") as folder:
        chain = _file(certificate.chain, Path(folder) / "chain.pem")
        key = _file(certificate.key, Path(folder) / "key.pem") if certificate.key is not None else None
        password = reveal(certificate.password) if certificate.password is not None else ""
        try:
            # an empty password is no password: without one OpenSSL would ask at the terminal
            context.load_cert_chain(chain, key, password=password)
        except OSError as error:
            raise _unusable(error, chain, key, Path(folder)) from None
        with suppress(ValueError):  # OpenSSL reads more forms than one; to tell of an end is not worth a run
            return validity_of(chain.read_text(errors="replace"))
    return None


def _file(source: Secret, place: Path) -> Path:
    text = source.reveal()
    if _PEM not in text:
        return Path(text)
    place.touch(0o600)
    place.write_text(text.replace("\\n", "\n"))
    return place


def _unusable(error: OSError, chain: Path, key: Path | None, folder: Path) -> AuthError:
    if isinstance(error, FileNotFoundError | PermissionError):
        missing = next((path for path in (chain, key) if path is not None and not path.is_file()), chain)
        shown = "its text" if folder in missing.parents else str(missing)
        return AuthError(
            f"the client certificate or its key cannot be read: {shown}",
            evidence=error.strerror,
            hint="check certificate and key; paths count from the folder where syncline runs",
        )
    reason = getattr(error, "reason", None)
    if reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
        hint = "certificate and key do not belong together; the certificate comes first in its file"
    else:  # OpenSSL does not say which
        hint = "write certificate and key in PEM (-----BEGIN …); where the key has a password, check password"
    return AuthError("the client certificate cannot be used", evidence=reason or "the key or its password", hint=hint)
