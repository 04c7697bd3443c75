"""Digest against its RFC's examples, and against odd challenges."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from syncline.auth import Digest, digest
from syncline.auth.digest import challenges
from syncline.errors import AuthError
from syncline.model import Request, Secret, Token, reveal
from tests.auth.support import NOW, answer, walk

AUTH = Digest(username="Mufasa", password=Secret("Circle of Life"))
REQUEST = Request(url="http://www.example.org/dir/index.html")
REALM = 'realm="http-auth@example.org", qop="auth, auth-int", '
REST = 'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'


def token(*lines: str) -> Token:
    _, found = walk(AUTH.obtain(None, NOW, 0.0, answer(b"", 401, WWW_Authenticate=list(lines))))
    return found


def fields(request: Request, challenge: Token, auth: Digest = AUTH) -> dict[str, str]:
    value = reveal(auth.sign(request, challenge, NOW).headers["Authorization"])
    assert value.startswith("Digest ")
    return {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^,]+))', value)}


@pytest.fixture
def known_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(digest, "once", lambda *seed: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    yield


@pytest.mark.usefixtures("known_client")
@pytest.mark.parametrize(
    ("algorithm", "response"),
    [("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
     ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")],
)  # fmt: skip
def test_the_answer_is_that_of_rfc_7616_3_9_1(algorithm: str, response: str) -> None:
    sent = fields(REQUEST, token(f"Digest {REALM} algorithm={algorithm}, {REST}"))
    assert sent == {
        "username": "Mufasa", "realm": "http-auth@example.org", "uri": "/dir/index.html", "algorithm": algorithm,
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "nc": "00000001", "qop": "auth", "response": response,
        "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }  # fmt: skip


@pytest.mark.usefixtures("known_client")
def test_a_name_may_be_hashed_as_in_rfc_7616_3_9_2() -> None:
    line = (
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
    )
    auth = Digest(username="Jäsøn Doe", password=Secret("Secret, or not?"))
    sent = fields(Request(url="http://api.example.org/doe.json"), token(line), auth)
    # the RFC's own value was made with SHA-512 cut short, and not with the SHA-512/256 that it names
    printed = hashlib.sha512("Jäsøn Doe:api@example.org".encode()).hexdigest()[:64]
    assert printed == "488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec"
    name = hashlib.new("sha512_256", "Jäsøn Doe:api@example.org".encode()).hexdigest()
    assert (sent["username"], sent["userhash"]) == (name, "true")


def test_the_first_request_goes_out_to_be_challenged() -> None:
    _, nothing = walk(AUTH.obtain(None, NOW, 0.0, None))
    assert AUTH.needs_token and AUTH.sign(REQUEST, nothing, NOW) is REQUEST


def test_a_nonce_is_counted() -> None:
    challenge = token(f"Digest {REALM} {REST}")
    counts = [fields(REQUEST, challenge)["nc"] for _ in range(3)]
    assert counts == ["00000001", "00000002", "00000003"]


def test_the_best_challenge_is_answered() -> None:
    weak, strong, unknown = (f"Digest {REALM} algorithm={name}, {REST}" for name in ("MD5", "SHA-256", "SHA-999"))
    for lines in (
        (weak, strong, unknown),
        (unknown, f'Basic realm="x, Digest y", {strong}, {weak}'),
        (f"{weak}, {strong}",),
    ):
        assert fields(REQUEST, token(*lines))["algorithm"] == "SHA-256"


def test_a_body_is_signed_where_nothing_else_is_offered() -> None:
    challenge = token('Digest realm="r", nonce="n", qop="auth-int"')
    post = Request(method="POST", url="http://x.example/?a=b", json={"a": 1})
    sent = fields(post, challenge)
    body = hashlib.md5(post.content or b"").hexdigest()
    a1, a2 = (hashlib.md5(text.encode()).hexdigest() for text in ("Mufasa:r:Circle of Life", f"POST:/?a=b:{body}"))
    expected = hashlib.md5(f"{a1}:n:00000001:{sent['cnonce']}:auth-int:{a2}".encode()).hexdigest()
    assert (sent["qop"], sent["uri"], sent["response"]) == ("auth-int", "/?a=b", expected)


def test_a_challenge_of_the_old_kind_is_answered_as_rfc_2069_has_it() -> None:
    sent = fields(REQUEST, token('Digest realm="r", nonce="n"'))
    a1, a2 = (hashlib.md5(text.encode()).hexdigest() for text in ("Mufasa:r:Circle of Life", "GET:/dir/index.html"))
    assert sent["response"] == hashlib.md5(f"{a1}:n:{a2}".encode()).hexdigest()
    assert "nc" not in sent and "qop" not in sent and "algorithm" not in sent


def test_a_session_hash_is_bound_to_both_nonces() -> None:
    sent = fields(REQUEST, token('Digest realm="r", nonce="n", qop=auth, algorithm=MD5-sess'))
    inner, a2 = (hashlib.md5(text.encode()).hexdigest() for text in ("Mufasa:r:Circle of Life", "GET:/dir/index.html"))
    a1 = hashlib.md5(f"{inner}:n:{sent['cnonce']}".encode()).hexdigest()
    assert sent["response"] == hashlib.md5(f"{a1}:n:00000001:{sent['cnonce']}:auth:{a2}".encode()).hexdigest()


@pytest.mark.parametrize(
    "line", ['Basic realm="Digest nonce=1"', "", 'Digest realm="no nonce"', 'Digest nonce="n", algorithm=SHA-999',
             'Digest nonce="n", qop="auth-new"']
)  # fmt: skip
def test_a_challenge_that_cannot_be_answered_is_said(line: str) -> None:
    with pytest.raises(AuthError, match="digest") as caught:
        token(line)
    assert caught.value.status == 401


@given(line=st.text(max_size=200))
def test_no_challenge_breaks_the_reader(line: str) -> None:
    assert all(scheme == scheme.lower() for scheme, _ in challenges([line, f"Digest {line}"]))


@given(username=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20))
def test_names_cannot_break_out_of_their_quotes(username: str) -> None:
    auth = Digest(username=username, password=Secret("p"))
    value = reveal(auth.sign(REQUEST, token(f"Digest {REALM} {REST}"), NOW).headers["Authorization"])
    (_, params), *more = challenges([value])
    assert not more and params["username"] == username and params["nc"] == "00000001"


def test_s9_the_password_is_nowhere() -> None:
    auth = Digest(username="u", password=Secret("canary"))
    challenge = token(f"Digest {REALM} {REST}")
    signed = auth.sign(REQUEST, challenge, NOW)
    assert "canary" not in repr((auth, challenge, signed)) + reveal(signed.headers["Authorization"])
