"""`${vault:secret/shop#token}`: HashiCorp Vault and OpenBao, secrets engine KV version 2.

Asked as https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version says. Who asks: VAULT_TOKEN,
VAULT_ROLE_ID with VAULT_SECRET_ID (AppRole), or the token that `vault login` left in ~/.vault-token.
"""

from __future__ import annotations

from urllib.parse import quote

from syncline.model import Request, Secret
from syncline.secrets.asking import Asking, ask, field_of, once, private_text, safe, split_field
from syncline.secrets.managers import Missing, Steps, Surroundings


def read(name: str, around: Surroundings) -> Steps:
    """The field of the secret's newest version; the first step of the path is the engine's mount."""
    path, field = split_field(name)
    mount, _, rest = path.strip("/").partition("/")
    if "/data/" in path:
        mount, rest = path.strip("/").split("/data/", 1)
    if not mount or not rest:
        raise Missing(f"${{vault:{name}}} is not mount/path#field", "write ${vault:secret/shop#token}")
    address = around.get("VAULT_ADDR")
    if address is None:
        raise Missing("VAULT_ADDR is not set", "export VAULT_ADDR=https://vault.example:8200")
    address = safe(address, "VAULT_ADDR")
    token = yield from once(around, "vault token", lambda: _token(address, around))
    request = Request(
        url=f"{address}/v1/{quote(mount)}/data/{quote(rest)}", headers={"X-Vault-Token": token, **_common(around)}
    )
    fixes = {
        403: f"let this token read it: path {mount}/data/{rest} with capabilities = [read]; or log in again",
        404: f"vault kv put {mount}/{rest} {field or 'token'}=…",
    }
    reference = f"${{vault:{name}}}"
    document = yield from once(
        around, f"vault {mount}/{rest}", lambda: ask(request, f"{reference}: Vault", fixes, fix="check VAULT_ADDR")
    )
    data = document.get("data")
    values = data.get("data") if isinstance(data, dict) else None
    if not isinstance(values, dict):
        raise Missing(f"{reference}: {mount!r} is not a KV version 2 engine", "vault kv enable-versioning " + mount)
    return field_of(values, field, reference)


def _common(around: Surroundings) -> dict[str, str]:
    namespace = around.get("VAULT_NAMESPACE")
    return {"X-Vault-Request": "true", **({"X-Vault-Namespace": namespace} if namespace else {})}


def _token(address: str, around: Surroundings) -> Asking:
    token, role, secret = (around.get(f"VAULT_{name}") for name in ("TOKEN", "ROLE_ID", "SECRET_ID"))
    if token is not None:
        return Secret(token)
    if role is None or secret is None:
        fix = "vault login, or export VAULT_TOKEN=…, or VAULT_ROLE_ID=… VAULT_SECRET_ID=…"
        return Secret(private_text(around.home(".vault-token"), "the token file", fix))
    mount = around.get("VAULT_APPROLE_MOUNT") or "approle"
    request = Request(
        method="POST",
        url=f"{address}/v1/auth/{quote(mount)}/login",
        headers=_common(around),
        json={"role_id": role, "secret_id": Secret(secret)},
        repeatable=True,
    )
    fix = "check VAULT_ROLE_ID and VAULT_SECRET_ID; a secret id may have run out or been used up"
    document = yield from ask(request, "Vault's AppRole log-in", {}, fix=fix)
    try:
        return Secret(document["auth"]["client_token"])
    except (KeyError, TypeError):
        raise Missing("Vault's AppRole log-in gave no token", fix) from None
