"""`${gcp-sm:projects/p/secrets/s/versions/latest}`: Google Cloud Secret Manager.

Asked as https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access says. Who asks: the
file GOOGLE_APPLICATION_CREDENTIALS (or what `gcloud auth application-default login` left), else the metadata server.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any
from urllib.parse import quote

from syncline.auth.jwt import compact
from syncline.errors import AuthError
from syncline.model import BodyTooDeep, MalformedBody, Request, Secret, decode_json, encode_json
from syncline.secrets.asking import LAST_ATTEMPT, Asking, ask, field_of, once, private_text, safe, split_field
from syncline.secrets.managers import Missing, Steps, Surroundings

API = "https://secretmanager.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
METADATA = "metadata.google.internal"
METADATA_HOSTS = frozenset({METADATA, "169.254.169.254"})
LOG_IN = "gcloud auth application-default login, or export GOOGLE_APPLICATION_CREDENTIALS=/path/key.json"


def read(name: str, around: Surroundings) -> Steps:
    """The version's payload, or one field of it where that is JSON; without a version, the latest."""
    path, field = split_field(name)
    steps = path.split("/")
    if len(steps) not in (4, 6) or steps[0] != "projects" or steps[2] != "secrets" or not all(steps):
        raise Missing(f"${{gcp-sm:{name}}} is no secret's name", "write ${gcp-sm:projects/p/secrets/s/versions/latest}")
    if len(steps) == 4:
        path += "/versions/latest"
    override = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"
    address = safe(around.get(override) or API, override)
    token = yield from once(around, "gcp token", lambda: _token(around))
    request = Request(url=f"{address}/v1/{quote(path)}:access", headers={"Authorization": token})
    fixes = {
        401: LOG_IN,
        403: "grant roles/secretmanager.secretAccessor on it, and enable the Secret Manager API",
        404: f"gcloud secrets create {steps[3]} --project {steps[1]}, or correct the name",
    }
    reference = f"${{gcp-sm:{name}}}"
    document = yield from once(
        around, f"gcp {path}", lambda: ask(request, f"{reference}: Secret Manager", fixes, fix="try again")
    )
    try:
        value = base64.b64decode(document["payload"]["data"], validate=True).decode()
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError):
        raise Missing(f"{reference}: the payload is not UTF-8 text", "store the value as text") from None
    return field_of(value, field, reference)


def _token(around: Surroundings) -> Asking:
    named = around.get("GOOGLE_APPLICATION_CREDENTIALS")
    path = around.folder / named if named else around.home(".config/gcloud/application_default_credentials.json")
    if named or path.is_file():
        request = _grant(_credentials(path), path, around)
        who, fix = "Google's token endpoint", f"check {path}: the key may be deleted; or {LOG_IN}"
    else:
        host = around.get("GCE_METADATA_HOST") or METADATA
        url = safe(f"http://{host}", "GCE_METADATA_HOST", also=METADATA_HOSTS)
        url += "/computeMetadata/v1/instance/service-accounts/default/token"
        request = Request(url=url, headers={"Metadata-Flavor": "Google"}, attempt=LAST_ATTEMPT)
        who, fix = "Google's metadata server", LOG_IN
    document = yield from ask(request, who, {}, fix=fix)
    access = document.get("access_token")
    if not isinstance(access, str) or not access:
        raise Missing(f"{who} gave no access token", fix)
    return Secret(f"Bearer {access}")


def _credentials(path: Path) -> dict[str, Any]:
    text = private_text(path, "the credentials file", LOG_IN)
    try:
        found = decode_json(text.encode())
    except (MalformedBody, BodyTooDeep):
        found = None
    if not isinstance(found, dict) or found.get("type") not in ("service_account", "authorized_user"):
        raise Missing(f"{path} is no key file of a service account or a user", LOG_IN)
    return found


def _grant(found: dict[str, Any], path: Path, around: Surroundings) -> Request:
    """The token request: for a service account a signed assertion (RFC 7523), for a user a refresh token."""
    url = safe(str(found.get("token_uri") or "https://oauth2.googleapis.com/token"), "token_uri")
    form: list[tuple[str, str | Secret]]
    try:
        if found["type"] == "authorized_user":
            names = ("client_id", "client_secret", "refresh_token")
            form = [("grant_type", "refresh_token"), *((name, Secret(str(found[name]))) for name in names)]
        else:
            now = int(around.now().timestamp())
            claims = {"iss": found["client_email"], "scope": SCOPE, "aud": url, "iat": now, "exp": now + 3600}
            header = {"alg": "RS256", "typ": "JWT", "kid": found.get("private_key_id")}
            signed = compact(encode_json(header), encode_json(claims), "RS256", Secret(str(found["private_key"])))
            form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", Secret(signed))]
    except KeyError as missing:
        raise Missing(f"{path} has no {missing.args[0]}", LOG_IN) from None
    except AuthError as error:
        raise Missing(f"{path}: {error.what}", error.hint or LOG_IN) from None
    return Request(method="POST", url=url, form=tuple(form), repeatable=True)
