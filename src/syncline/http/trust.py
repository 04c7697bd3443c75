"""Whom TLS connections trust, and what everybody would want to know about the certificates that they meet."""

import importlib
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult

from pydantic import BeforeValidator, Field, WithJsonSchema

from syncline.auth import Certificate
from syncline.errors import PlanError
from syncline.events import CredentialEnding, Event, Noticed
from syncline.http.validity import Validity, validity_met
from syncline.model import Part, Text, reveal

INSECURE = "SYNCLINE_INSECURE_TLS"
OURS = "client certificate"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_LOADERS = ("load_default_certs", "set_default_verify_paths")


class Tls(Part):
    """Whom TLS connections trust. A certificate of our own is shown with `auth: {kind: mtls}`."""

    ca: Text | None = Field(
        default=None,
        description="Path of an own authority (PEM), or its text by reference; trusted instead of the system's",
    )
    min_version: Annotated[
        Literal["1.2", "1.3"],
        BeforeValidator(lambda value: str(value) if isinstance(value, float) else value),
        WithJsonSchema({"enum": ["1.2", "1.3", 1.2, 1.3]}),
    ] = Field(default="1.2", description="The lowest version of TLS that is spoken")


class LateContext(ssl.SSLContext):
    """Reads the system's authorities when a first connection needs them: it takes 25 ms and more, and plain http never does."""

    late: Callable[[ssl.SSLContext], Any] | None = None

    def _complete(self) -> None:
        late, self.late = self.late, None
        if late is not None:
            late(self)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        self._complete()
        return super().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        self._complete()
        return super().wrap_socket(*args, **kwargs)

    def get_ca_certs(self, *args: Any, **kwargs: Any) -> Any:
        self._complete()
        return super().get_ca_certs(*args, **kwargs)

    def cert_store_stats(self) -> dict[str, int]:
        self._complete()
        return super().cert_store_stats()


@contextmanager
def late_authorities() -> Iterator[None]:
    """Contexts that this thread makes within read the system's authorities late; until then they trust nobody.

    aiohttp makes two when it is imported, for whoever will use it. Both stay whole: the same settings, the same authorities.
    """
    here = threading.get_ident()
    plain: dict[str, Any] = {name: getattr(ssl.SSLContext, name) for name in _LOADERS}
    own = {name for name in _LOADERS if name in vars(ssl.SSLContext)}

    def putting_off(name: str) -> Callable[..., None]:
        def load(context: ssl.SSLContext, *args: Any) -> None:
            if threading.get_ident() != here or type(context) not in (ssl.SSLContext, LateContext):
                plain[name](context, *args)
                return
            context.__class__ = LateContext
            context.late = lambda complete: plain[name](complete, *args)  # type: ignore[attr-defined]

        return load

    for name in _LOADERS:
        setattr(ssl.SSLContext, name, putting_off(name))
    try:
        yield
    finally:
        for name in _LOADERS:
            if name in own:
                setattr(ssl.SSLContext, name, plain[name])
            else:
                delattr(ssl.SSLContext, name)


def import_aiohttp() -> Any:
    """aiohttp, for those who may be the first to need it."""
    if "aiohttp" not in sys.modules:
        with late_authorities():
            # late: it takes a tenth of a second, and most verbs send nothing
            importlib.import_module("aiohttp")
    return sys.modules["aiohttp"]


class Trust:
    """The contexts of one transport, made when they are first needed. Raises PlanError for an authority that cannot be read.

    A client certificate is shown where `context` is told so, and nowhere else.
    """

    def __init__(
        self, tls: Tls | None, certificate: Certificate | None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._tls, self._certificate = tls or Tls(), certificate
        named = environment.get(INSECURE, "").split(",")
        self._exempt = frozenset(host for name in named if (host := name.strip().lower()))
        self._contexts: dict[tuple[bool, bool], ssl.SSLContext] = {}
        self._validities: dict[str, Validity] = {}
        self.context(certified=certificate is not None)  # mistakes in the settings show before anything is sent

    def exempts(self, url: SplitResult) -> bool:
        """Whether the environment says to believe this host without proof."""
        if not self._exempt or url.scheme != "https" or not url.hostname:
            return False
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        return not self._exempt.isdisjoint({url.hostname, host, f"{host}:{url.port or 443}"})

    def context(self, *, certified: bool, blind: bool = False) -> ssl.SSLContext:
        """What to connect with: showing our certificate or not, believing everybody or not."""
        if (certified, blind) not in self._contexts:
            self._contexts[certified, blind] = self._made(certified=certified, blind=blind)
        return self._contexts[certified, blind]

    def notices(self, url: SplitResult, now: Callable[[], datetime], told: set[str]) -> list[Event]:
        """What is to be said after a request to this address, once to whoever keeps `told`: nearly always nothing."""
        found: list[Event] = []
        if not self._exempt and self._validities.keys() <= told:
            return found
        if self._exempt and self.exempts(url) and url.netloc not in told:
            told.add(url.netloc)
            found.append(
                Noticed(
                    what=f"the TLS certificate of {url.netloc} is not verified, because {INSECURE} names it",
                    hint="anybody on the way can read and change everything; give its authority in tls: {ca: …} instead",
                )
            )
        for name in [name for name in self._validities if name not in told]:
            told.add(name)
            found += _ending(name, self._validities[name], now())
        return found

    def _made(self, *, certified: bool, blind: bool) -> ssl.SSLContext:
        if blind:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self._tls.ca is not None:
            context = _trusting(reveal(self._tls.ca))
        else:
            with late_authorities():
                context = ssl.create_default_context()
        context.minimum_version = VERSIONS[self._tls.min_version]
        context.set_alpn_protocols(["http/1.1"])
        if certified and self._certificate is not None:
            from syncline.http.tls import show  # late: most connections show no certificate

            shown = show(context, self._certificate)
            if shown is not None:
                self._validities[OURS] = shown
        met = self._validities

        class Watched(ssl.SSLObject):
            """Notes how long the certificate holds that a handshake ended with."""

            def do_handshake(self) -> None:
                super().do_handshake()
                certificate = self.getpeercert()
                if certificate and self.server_hostname:
                    met[f"certificate of {self.server_hostname}"] = validity_met(certificate)

        context.sslobject_class = Watched
        return context


def _ending(name: str, validity: Validity, now: datetime) -> Iterator[Event]:
    if not validity.ends_soon(now):
        return
    yield CredentialEnding(credential=name, ends_at=validity.ends)
    hint = "get a new one from whoever issued it" if name == OURS else "ask the provider to renew it"
    what = f"the {name} runs out at {validity.ends:%Y-%m-%d %H:%M} UTC"
    yield Noticed(what=what, hint=f"{hint}; after that every request fails")


def _trusting(ca: str) -> ssl.SSLContext:
    try:
        if "-----BEGIN " in ca:
            return ssl.create_default_context(cadata=ca)
        return ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else "it is not PEM"
        raise PlanError(
            f"tls.ca cannot be used: {reason}",
            hint="write the path of a PEM file with the authority's certificate, or its text by reference",
        ) from None
