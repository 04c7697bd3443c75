"""How long a certificate holds, as our own reading of it says and as a library's does."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings, strategies as st

from syncline.http.validity import Validity, validity_of

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def made(starts: datetime, ends: datetime, *, name: str = "client", serial: int = 1) -> str:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(who, who, KEY.public_key(), serial, starts, ends)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


SOUND = ssl.PEM_cert_to_DER_cert(made(NOW, NOW + timedelta(days=9)))
moments = st.datetimes(datetime(1950, 1, 1), datetime(2999, 1, 1)).map(
    lambda one: one.replace(microsecond=0, tzinfo=UTC)
)

names = st.text("aé漢", min_size=1, max_size=64).filter(lambda name: len(name.encode()) <= 64)
"""As long as the library lets a name be, in bytes."""


@settings(max_examples=100)
@given(st.tuples(moments, moments), names, st.integers(1, 2**158))
def test_it_is_read_as_the_library_reads_it(life: tuple[datetime, datetime], name: str, serial: int) -> None:
    starts, ends = sorted(life)
    text = made(starts, ends, name=name, serial=serial)
    known = x509.load_pem_x509_certificate(text.encode())
    assert (
        validity_of(text) == Validity(known.not_valid_before_utc, known.not_valid_after_utc) == Validity(starts, ends)
    )


def test_of_a_chain_it_is_the_one_that_ends_first() -> None:
    long, short = made(NOW, NOW + timedelta(days=900)), made(NOW, NOW + timedelta(days=9))
    assert validity_of(f"a comment\n{long}\n{short}").ends == NOW + timedelta(days=9)


@pytest.mark.parametrize("broken", ["", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"])
def test_what_is_none_says_so(broken: str) -> None:
    with pytest.raises(ValueError, match="it is"):
        validity_of(broken)


@settings(max_examples=200)
@given(st.data())
def test_bytes_that_were_changed_are_never_more_than_an_error(data: st.DataObject) -> None:
    der = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 5))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(validity_of(ssl.DER_cert_to_PEM_cert(bytes(der))), Validity)
    except ValueError as error:
        assert str(error) == "it is no certificate"


@pytest.mark.parametrize(
    ("life", "left", "soon"),
    [(365, 15, False), (365, 13, True), (1, 0.4, False), (1, 0.3, True), (365, -1, True)],
)
def test_soon_is_two_weeks_or_a_third(life: float, left: float, soon: bool) -> None:
    ends = NOW + timedelta(days=left)
    assert Validity(ends - timedelta(days=life), ends).ends_soon(NOW) is soon
