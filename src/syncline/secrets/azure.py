"""`${azure-kv:vault/secret}`: Azure Key Vault.

Asked as https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret says. Who asks: AZURE_TENANT_ID and
AZURE_CLIENT_ID with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE, else the managed identity of the machine.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from syncline.model import Request, Secret
from syncline.secrets.asking import LAST_ATTEMPT, Asking, ask, field_of, once, private_text, safe, split_field
from syncline.secrets.managers import Missing, Steps, Surroundings

VERSION = "7.4"
METADATA = "http://169.254.169.254"
METADATA_HOSTS = frozenset({"169.254.169.254", "169.254.130.1"})
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LOG_IN = "export AZURE_TENANT_ID=… AZURE_CLIENT_ID=… AZURE_CLIENT_SECRET=…, or give the machine a managed identity"
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def read(name: str, around: Surroundings) -> Steps:
    """The secret's newest version, or the one named third; a vault with dots is a full host name (other Azure clouds)."""
    path, field = split_field(name)
    vault, *rest = path.split("/")
    if len(rest) not in (1, 2) or not all(rest) or not _HOST.fullmatch(vault):
        raise Missing(f"${{azure-kv:{name}}} is not vault/secret", "write ${azure-kv:my-vault/shop-token}")
    host = vault if "." in vault else f"{vault}.vault.azure.net"
    resource = f"https://{host.partition('.')[2]}"
    address = safe(around.get("AZURE_KEYVAULT_URL") or f"https://{host}", "AZURE_KEYVAULT_URL")
    token = yield from once(around, f"azure token {resource}", lambda: _token(resource, around))
    request = Request(
        url=f"{address}/secrets/{quote('/'.join(rest))}",
        params=(("api-version", VERSION),),
        headers={"Authorization": token},
    )
    fixes = {
        401: LOG_IN,
        403: "give this identity the role 'Key Vault Secrets User', and let the vault's firewall admit this machine",
        404: f"az keyvault secret set --vault-name {vault} --name {rest[0]} --value …",
    }
    reference = f"${{azure-kv:{name}}}"
    document = yield from once(
        around,
        f"azure {host}/{rest}",
        lambda: ask(request, f"{reference}: Key Vault", fixes, fix="check the vault's name"),
    )
    return field_of(document.get("value"), field, reference)


def _token(resource: str, around: Surroundings) -> Asking:
    tenant, client, secret, federated = (
        around.get(f"AZURE_{name}") for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE")
    )
    if tenant and client and (secret or federated):
        form: list[tuple[str, str | Secret]] = [("grant_type", "client_credentials"), ("client_id", client)]
        form.append(("scope", f"{resource}/.default"))
        if secret:
            form.append(("client_secret", Secret(secret)))
        else:
            assertion = private_text(Path(str(federated)), "the federated token file", LOG_IN)
            form += [("client_assertion_type", ASSERTION), ("client_assertion", Secret(assertion))]
        authority = safe(
            around.get("AZURE_AUTHORITY_HOST") or "https://login.microsoftonline.com", "AZURE_AUTHORITY_HOST"
        )
        url = f"{authority}/{quote(tenant)}/oauth2/v2.0/token"
        request = Request(method="POST", url=url, form=tuple(form), repeatable=True)
        who, fix = "Microsoft Entra", "check AZURE_TENANT_ID, AZURE_CLIENT_ID and its secret, which may have run out"
    else:
        request = _identity(resource, client, around)
        who, fix = "the managed identity's endpoint", LOG_IN
    document = yield from ask(request, who, {}, fix=fix)
    access = document.get("access_token")
    if not isinstance(access, str) or not access:
        raise Missing(f"{who} gave no access token", fix)
    return Secret(f"Bearer {access}")


def _identity(resource: str, client: str | None, around: Surroundings) -> Request:
    """The machine's own identity: App Service, Functions and Container Apps have an endpoint of their own."""
    endpoint, header = around.get("IDENTITY_ENDPOINT"), around.get("IDENTITY_HEADER")
    params = (("resource", resource), *((("client_id", client),) if client else ()))
    if endpoint and header:
        url = safe(endpoint, "IDENTITY_ENDPOINT", also=METADATA_HOSTS)
        headers: dict[str, str | Secret] = {"X-IDENTITY-HEADER": Secret(header)}
        return Request(url=url, params=(("api-version", "2019-08-01"), *params), headers=headers)
    name = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
    url = safe(around.get(name) or METADATA, name, also=METADATA_HOSTS) + "/metadata/identity/oauth2/token"
    params = (("api-version", "2018-02-01"), *params)
    return Request(url=url, params=params, headers={"Metadata": "true"}, attempt=LAST_ATTEMPT)
