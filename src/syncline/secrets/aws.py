"""`${aws-sm:shop/api#token}`: AWS Secrets Manager.

Asked as https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html says. Who asks: AWS_ACCESS_KEY_ID
and AWS_SECRET_ACCESS_KEY, the profile files, the container's endpoint (ECS, EKS Pod Identity), or the machine's role (IMDSv2).
"""

from __future__ import annotations

from configparser import ConfigParser, Error as ConfigError
from pathlib import Path
from typing import Any

import msgspec

from syncline.auth import AwsSigV4
from syncline.model import Request, Secret
from syncline.secrets.asking import (
    LAST_ATTEMPT,
    Asking,
    answer_to,
    ask,
    field_of,
    once,
    private_text,
    safe,
    split_field,
)
from syncline.secrets.managers import Missing, Steps, Surroundings

IMDS = "http://169.254.169.254"
ECS = "http://169.254.170.2"
METADATA_HOSTS = frozenset({"169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"})
Keys = tuple[str, str, str | None]
"""Access key, secret key, session token."""

LOG_IN = "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…, or aws configure, or give the machine a role"


def read(name: str, around: Surroundings) -> Steps:
    """The current version's text, or one field of it where that is JSON; `name` may be an ARN."""
    secret, field = split_field(name)
    if not secret:
        raise Missing(f"${{aws-sm:{name}}} names no secret", "write ${aws-sm:shop/api#token}")
    region = secret.split(":")[3] if secret.startswith("arn:") and secret.count(":") >= 6 else _region(around)
    override = "AWS_ENDPOINT_URL_SECRETS_MANAGER"
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    address = safe(
        around.get(override) or around.get("AWS_ENDPOINT_URL") or f"https://secretsmanager.{region}.{domain}", override
    )
    keys = yield from once(around, "aws keys", lambda: _keys(around))
    request = Request(
        method="POST",
        url=f"{address}/",
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"},
        json={"SecretId": secret},
        repeatable=True,
    )
    request = _signer(keys, region).sign(request, None, around.now())
    reference = f"${{aws-sm:{name}}}"
    fix = (
        f"aws secretsmanager get-secret-value --secret-id {secret} --region {region}, and allow this identity the same"
    )
    document = yield from once(
        around, f"aws {region} {secret}", lambda: ask(request, f"{reference}: Secrets Manager", {}, fix=fix)
    )
    text = document.get("SecretString")
    if not isinstance(text, str):
        raise Missing(f"{reference}: the secret is binary", "store it as text (base64 for bytes)")
    return field_of(text, field, reference)


def _region(around: Surroundings) -> str:
    named = around.get("AWS_REGION") or around.get("AWS_DEFAULT_REGION") or _profile(around, "config").get("region")
    if not named:
        raise Missing("AWS_REGION is not set", "export AWS_REGION=eu-central-1")
    return named


def _profile(around: Surroundings, which: str) -> dict[str, str]:
    """The chosen profile of ~/.aws/config or ~/.aws/credentials; empty where there is none."""
    variable = {"config": "AWS_CONFIG_FILE", "credentials": "AWS_SHARED_CREDENTIALS_FILE"}[which]
    named = around.get(variable)
    path = Path(named) if named else around.home(f".aws/{which}")
    profile = around.get("AWS_PROFILE") or "default"
    if not path.is_file():
        return {}
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(private_text(path, "the AWS file", LOG_IN))
    except ConfigError as error:
        raise Missing(f"{path} is not understood: {type(error).__name__}", "aws configure") from None
    section = profile if which == "credentials" or profile == "default" else f"profile {profile}"
    return dict(parser[section]) if section in parser else {}


def _keys(around: Surroundings) -> Asking:
    key, secret = around.get("AWS_ACCESS_KEY_ID"), around.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return key, secret, around.get("AWS_SESSION_TOKEN")
    profile = _profile(around, "credentials")
    if profile.get("aws_access_key_id") and profile.get("aws_secret_access_key"):
        return profile["aws_access_key_id"], profile["aws_secret_access_key"], profile.get("aws_session_token")
    relative, full = (around.get(f"AWS_CONTAINER_CREDENTIALS_{kind}_URI") for kind in ("RELATIVE", "FULL"))
    if relative or full:
        url = safe(
            full or f"{ECS}/{str(relative).lstrip('/')}", "AWS_CONTAINER_CREDENTIALS_FULL_URI", also=METADATA_HOSTS
        )
        document = yield from ask(
            Request(url=url, headers=_container_token(around)), "the container's credentials endpoint", {}, fix=LOG_IN
        )
    else:
        document = yield from _of_the_machine(around)
    if not (document.get("AccessKeyId") and document.get("SecretAccessKey")):
        raise Missing("the metadata endpoint gave no keys", LOG_IN)
    return document["AccessKeyId"], document["SecretAccessKey"], document.get("Token")


def _signer(keys: Keys, region: str) -> AwsSigV4:
    key, secret, session = keys
    return AwsSigV4(
        service="secretsmanager",
        region=region,
        access_key=key,
        secret_key=Secret(secret),
        session_token=Secret(session) if session else None,
    )


def _container_token(around: Surroundings) -> dict[str, str | Secret]:
    token, path = (around.get(f"AWS_CONTAINER_AUTHORIZATION_TOKEN{end}") for end in ("", "_FILE"))
    if path:
        token = private_text(Path(path), "the authorization token file", LOG_IN)
    return {"Authorization": Secret(token)} if token else {}


def _of_the_machine(around: Surroundings) -> Asking:
    """The role's keys from the instance metadata service, version 2: a token first, which no redirect could fetch."""
    if (around.get("AWS_EC2_METADATA_DISABLED") or "").lower() == "true":
        raise Missing("there are no AWS credentials", LOG_IN)
    name = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
    base = safe(around.get(name) or IMDS, name, also=METADATA_HOSTS) + "/latest"
    who = "the instance metadata service"
    put = Request(
        method="PUT",
        url=f"{base}/api/token",
        headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"},
        attempt=LAST_ATTEMPT,
    )
    answer = yield from answer_to(put, who, LOG_IN)
    if answer.status != 200:
        raise Missing(f"{who} answered {answer.status} to the token request", LOG_IN)
    header: dict[str, Any] = {"X-aws-ec2-metadata-token": Secret(answer.body.decode("ascii", "replace").strip())}
    role = Request(url=f"{base}/meta-data/iam/security-credentials/", headers=header)
    found = yield from answer_to(role, who, LOG_IN)
    named = found.body.decode("ascii", "replace").split()
    if found.status != 200 or not named:
        raise Missing("this machine has no role", "attach an instance profile, or " + LOG_IN)
    return (yield from ask(msgspec.structs.replace(role, url=role.url + named[0]), who, {}, fix=LOG_IN))
