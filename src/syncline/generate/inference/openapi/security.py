"""Security schemes and requirements of an OpenAPI document."""

from __future__ import annotations

from typing import Any

from syncline.generate.inference.known import Flow, Scheme
from syncline.generate.inference.openapi.references import References

_FLOWS = {"accessCode": "authorizationCode", "application": "clientCredentials"}


def read_schemes(data: dict[str, Any], references: References) -> tuple[Scheme, ...]:
    """The schemes that a document defines, in its order."""
    components = data.get("components")
    written = data.get("securityDefinitions") or (
        components.get("securitySchemes") if isinstance(components, dict) else None
    )
    if not isinstance(written, dict):
        return ()
    return tuple(_scheme(str(name), references.follow(node)) for name, node in written.items())


def _scheme(name: str, node: dict[str, Any]) -> Scheme:
    kind = str(node.get("type") or "").lower()
    if kind == "http":
        kind = str(node.get("scheme") or "").lower()
    if str(node.get("x-amazon-apigateway-authtype") or "").lower() == "awssigv4":
        kind = "sigv4"
    return Scheme(
        name=name,
        kind={"openidconnect": "openid", "mutualtls": "mtls"}.get(kind, kind),
        where=str(node.get("in") or "header"),
        key=str(node.get("name") or ""),
        description=str(node.get("description") or "")[:2_000],
        address=node["openIdConnectUrl"] if isinstance(node.get("openIdConnectUrl"), str) else None,
        flows=_flows(node),
    )


def _flows(node: dict[str, Any]) -> dict[str, Flow]:
    if isinstance(node.get("flow"), str):  # 2.0
        return {_FLOWS.get(node["flow"], node["flow"]): _flow(node)}
    flows = node.get("flows")
    if not isinstance(flows, dict):
        return {}
    return {_FLOWS.get(str(name), str(name)): _flow(flow) for name, flow in flows.items() if isinstance(flow, dict)}


def _flow(node: dict[str, Any]) -> Flow:
    scopes = node.get("scopes")
    return Flow(
        authorize_url=node["authorizationUrl"] if isinstance(node.get("authorizationUrl"), str) else None,
        token_url=node["tokenUrl"] if isinstance(node.get("tokenUrl"), str) else None,
        refresh_url=node["refreshUrl"] if isinstance(node.get("refreshUrl"), str) else None,
        device_url=node["deviceAuthorizationUrl"] if isinstance(node.get("deviceAuthorizationUrl"), str) else None,
        scopes=tuple(str(scope) for scope in scopes) if isinstance(scopes, dict | list) else (),
    )


def read_security(written: Any) -> tuple[tuple[str, ...], ...] | None:
    """Alternatives of schemes that are needed together; an empty alternative where none is needed; None where nothing is said."""
    if not isinstance(written, list):
        return None
    if not written:
        return ((),)
    return tuple(tuple(str(name) for name in one) for one in written if isinstance(one, dict))
