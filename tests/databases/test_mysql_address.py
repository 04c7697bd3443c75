"""What a mysql:// URL says, and what is refused in it without showing it."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from syncline.databases.mysql_address import arguments
from syncline.errors import PlanError
from syncline.model import Secret


def read(rest: str, scheme: str = "mysql") -> dict[str, Any]:
    return arguments(Secret(f"{scheme}://{rest}"))


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_the_parts_of_a_url(scheme: str):
    found = read("us%40er:p%2Fä%3A@db.example:3307/sh%20op?charset=utf8mb4&connect_timeout=3", scheme)
    assert (found["host"], found["port"], found["database"], found["user"]) == ("db.example", 3307, "sh op", "us@er")
    assert found["password"] == "p/ä:".encode()
    assert (found["connect_timeout"], found["write_timeout"]) == (3.0, 60.0)
    assert "ssl" not in found
    assert "ssl_disabled" not in found


def test_what_is_left_out():
    found = read("/shop")
    assert (found["host"], found["port"]) == ("127.0.0.1", 3306)
    assert not {"user", "password", "unix_socket"} & found.keys()
    assert read("[::1]/shop")["host"] == "::1"
    assert read("/shop?socket=/run/mysqld/mysqld.sock")["unix_socket"] == "/run/mysqld/mysqld.sock"


@pytest.mark.parametrize(
    ("options", "verify", "names"),
    [
        ("ssl=true", ssl.CERT_REQUIRED, True),
        ("ssl-mode=VERIFY_IDENTITY", ssl.CERT_REQUIRED, True),
        ("ssl_verify_cert=true", ssl.CERT_REQUIRED, True),
        ("ssl_mode=verify_ca", ssl.CERT_REQUIRED, False),
        ("ssl=1&ssl_verify_identity=false", ssl.CERT_REQUIRED, False),
        ("ssl=true&ssl_check_hostname=false", ssl.CERT_REQUIRED, False),
        ("sslmode=required", ssl.CERT_NONE, False),
        ("ssl=true&ssl_verify_cert=false", ssl.CERT_NONE, False),
    ],
)
def test_who_asks_for_tls_gets_it_verified_unless_they_say_otherwise(options: str, verify: ssl.VerifyMode, names: bool):
    context = read(f"h/shop?{options}")["ssl"]
    assert (context.verify_mode, context.check_hostname) == (verify, names)


@pytest.mark.parametrize("options", ["ssl=false", "ssl_disabled=true", "ssl_mode=DISABLED"])
def test_tls_can_be_switched_off(options: str):
    assert read(f"h/shop?{options}")["ssl_disabled"] is True


@pytest.mark.parametrize(
    ("rest", "match"),
    [
        ("user:s3cret@h", "names no database"),
        ("user:s3cret@h/a/b", "names no database"),
        ("user:s3cret@h:port/a", "cannot be read"),
        ("user:s3cret@h/a?ssl_mod=x", "option 'ssl_mod' is not known"),
        ("user:s3cret@h/a?ssl_mode=maybe", "ssl_mode is not known"),
        ("user:s3cret@h/a?ssl=perhaps", "true or false"),
        ("user:s3cret@h/a?charset=latin1", "character set"),
        ("user:s3cret@h/a?read_timeout=soon", "number of seconds"),
        ("user:s3cret@h/a?ssl_ca=/not/there.pem", "certificates that the url names"),
    ],
)
def test_s9_mistakes_are_explained_and_the_url_is_not_shown(rest: str, match: str):
    with pytest.raises(PlanError, match=match) as caught:
        read(rest)
    assert caught.value.hint
    assert "s3cret" not in caught.value.block()
