"""Every way to authorise a request is checked by the simulator itself, and who comes with something else stays out."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncline.engine import Report, arun
from syncline.rehearsal.checklist import check
from syncline.rehearsal.simulator.faults import faults
from tests.rehearsal.acts import PLAIN, act

WAYS = {
    "api_key": '{kind: api_key, key: "${K}", name: X-Key, prefix: Token}',
    "api_key-query": '{kind: api_key, key: "${K}", in: query, name: key}',
    "api_key-cookie": '{kind: api_key, key: "${K}", in: cookie, name: sid}',
    "basic": '{kind: basic, username: me, password: "${P}"}',
    "bearer": '{kind: bearer, token: "${T}"}',
    "digest": '{kind: digest, username: me, password: "${P}"}',
    "hmac": '{kind: hmac, key: "${K}", sign: [method, "\\n", path, "\\n", query, "\\n", timestamp, "\\n", body], '
    "timestamp_header: X-Time}",
    "hmac-nonce": '{kind: hmac, key: "${K}", key_encoding: base64, algorithm: sha512, encoding: base64, key_id: k1, '
    'sign: [nonce, target, body_sha256, {header: Accept}], template: "HMAC {key_id}:{nonce}:{signature}"}',
    "hmac-query": '{kind: hmac, key: "${K}", in: query, sign: [target, timestamp], header: sig, timestamp_header: ts, '
    "timestamp_format: iso8601}",
    "jwt-hs": '{kind: jwt, algorithm: HS256, key: "${K}", claims: {iss: me}}',
    "jwt-rs": '{kind: jwt, algorithm: RS256, key: "${file:/run/secrets/key.pem}", claims: {iss: me}}',
    "jwt-es": '{kind: jwt, algorithm: ES256, key: "${K}", lifetime: 60s}',
    "oauth1": '{kind: oauth1, consumer_key: app, consumer_secret: "${C}", token: "${T}", token_secret: "${S}"}',
    "oauth1-sha256": '{kind: oauth1, consumer_key: app, consumer_secret: "${C}", method: HMAC-SHA256}',
    "sigv4": '{kind: aws_sigv4, access_key: "${A}", secret_key: "${S}", service: execute-api, region: eu-central-1}',
    "sigv4-s3": '{kind: aws_sigv4, access_key: "${A}", secret_key: "${S}", service: s3, region: "${R}", session_token: "${T}"}',
    "session": '{kind: session, path: /login, json: {user: me, password: "${P}"}, token: data.token}',
    "session-cookie": '{kind: session, path: /login, form: {user: me, password: "${P}"}, token_cookie: sid}',
    "session-header": '{kind: session, url: "https://login.things.example/in", token_header: X-Token, in: header, name: X-Token, '
    'login_auth: {kind: basic, username: me, password: "${P}"}, renew_on: [403]}',
    "rotate": '{kind: rotate, auths: [{kind: bearer, token: "${T1}"}, {kind: bearer, token: "${T2}"}]}',
    "combined": '[{kind: api_key, key: "${K}"}, {kind: basic, username: me, password: "${P}"}]',
    **{
        f"oauth2-{grant}": f"{{kind: oauth2, grant: {grant}, token_url: 'https://login.things.example/token', {rest}}}"
        for grant, rest in {
            "client_credentials": 'client_id: c, client_secret: "${S}"',
            "refresh_token": 'client_id: c, client_secret: "${S}", refresh_token: "${R}"',
            "authorization_code": 'client_id: c, authorize_url: "https://login.things.example/authorize"',
            "device_code": 'client_id: c, device_url: "https://login.things.example/device"',
            "password": 'client_id: c, client_secret: "${S}", client_auth: post, username: me, password: "${P}"',
            "jwt_bearer": 'assertion: {key: "${K}", issuer: me}',
            "token_exchange": 'subject_token: "${T}"',
        }.items()
    },
}
KINDS = ["api_key", "bearer", "digest", "hmac", "jwt-hs", "session", "rotate", "combined", "oauth2-client_credentials"]
"""One of each way in which credentials are renewed, or are not."""
RENEWABLE = [name for name in WAYS if name.startswith(("oauth2", "session", "digest", "jwt", "rotate"))]


def _with(auth: str) -> str:
    return PLAIN.replace('{kind: bearer, token: "${THINGS_TOKEN}"}', auth)


@pytest.mark.parametrize("name", WAYS)
def test_who_keeps_to_the_file_is_let_in(name: str, tmp_path: Path) -> None:
    report = act(_with(WAYS[name]), tmp_path)
    assert report.problems == []
    statuses = [seen.status for seen in report.seen if seen.kind == "page"]
    assert statuses.count(200) >= 7
    assert len([status for status in statuses if status != 200]) == (2 if name == "digest" else 0)


@pytest.mark.parametrize("name", [name for name, auth in WAYS.items() if "${" in auth])
def test_who_comes_with_something_else_is_kept_out(name: str, tmp_path: Path) -> None:
    async def with_other_secrets(*words: Any, environment: dict[str, str], stage: Any, **options: Any) -> Report:
        others = {key: _other(value) for key, value in environment.items()}
        return await arun(*words, environment=others, stage=msgspec.structs.replace(stage, tokens={}), **options)

    report = act(_with(WAYS[name]), tmp_path, runner=with_other_secrets)
    assert {one.exit_code for one in report.passes} == {4}
    assert all(seen.status != 200 for seen in report.seen if seen.kind == "page")


def _other(value: str) -> str:
    """Another secret of the same form: another key from another process, or other characters."""
    if value.startswith("-----"):
        from syncline.rehearsal.materials import _pem  # a key that nobody signed with

        return _pem.__wrapped__("p-256" if len(value) < 400 else "rsa")
    return value[:-4] + ("0000" if not value.endswith("0000") else "1111")


@pytest.mark.parametrize("name", RENEWABLE)
@pytest.mark.parametrize("fault", ["token-expired", "token-revoked"])
def test_what_runs_out_is_renewed_within_the_run(name: str, fault: str, tmp_path: Path) -> None:
    report = act(_with(WAYS[name]), tmp_path, faults()[fault](at=3))
    assert report.problems == []
    assert report.passes[0].exit_code == 0


@pytest.mark.parametrize("name", KINDS)
def test_the_checklist_says_what_becomes_of_a_credential_that_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "things.yaml"
    file.write_text(_with(WAYS[name]))
    (line,) = asyncio.run(check(file, lines=["tokens"])).lines
    said = " ".join(line.evidence)
    if name in RENEWABLE:
        assert line.status == "held"
        assert "2 requests refused and sent again" in said or name in ("digest", "rotate")
    else:
        assert line.status == "not applicable"
        assert "ended the run with exit code 4 (check that the credentials are right" in said
        assert re.search(r"(\d+) of \1 requests came with the credential", said)


@pytest.mark.parametrize("name", [name for name in WAYS if name.startswith(("hmac", "jwt", "oauth1", "sigv4"))])
@pytest.mark.parametrize("fault", ["clock-ahead", "clock-behind"])
def test_r11_a_signature_that_is_refused_for_its_time_is_made_anew_by_the_apis(
    name: str, fault: str, tmp_path: Path
) -> None:
    report = act(_with(WAYS[name]), tmp_path, faults()[fault](at=3))
    assert report.problems == []
    assert report.passes[0].exit_code == 0
    refused = [seen for seen in report.seen if seen.status == 401 and seen.at <= report.passes[0].ended]
    assert len(refused) == (0 if name == "hmac-nonce" else 1), "which has no time in it"


def test_a_digest_is_not_signed_before_its_turn_comes(tmp_path: Path) -> None:
    """Counts have to rise as requests arrive, and one that waits for its turn would come behind those that were signed after it."""
    parted = _with(WAYS["digest"]).replace("rate_limit: 10/s", "rate_limit: 2/s")
    parted = parted.replace("    incremental: {cursor: updated_at, param: since}\n", "")  # or the first page goes alone
    parted = parted.replace("path: /things", "path: /things\n    partitions: {param: region, values: [eu, us, ap]}")
    report = act(parted, tmp_path, faults()["502"](at=2))
    assert report.problems == []
    assert report.passes[0].exit_code == 0
