"""The document's sections, each a list of Markdown lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncline.auth import ApiKey, Auth
from syncline.destinations import Deletes
from syncline.generate.document.markdown import code, prose, table
from syncline.generate.document.names import name_of, place_of
from syncline.generate.document.readiness import readiness
from syncline.mapping import Mapping
from syncline.model import Part, kind_of
from syncline.model.units import format_duration
from syncline.pagination import Unpaged
from syncline.secrets import references
from syncline.spec import Integration, Stream

_DIRECTIONS = {"one-way": "One-way: {source} is read, {destination} is written"}


def overview(integration: Integration) -> list[str]:
    source, destination = prose(name_of(integration.source)), prose(name_of(integration.destination))
    direction = _DIRECTIONS[integration.direction].format(source=source, destination=destination)
    limits = getattr(getattr(integration.source, "rate_limit", None), "limits", ())
    rows = [
        ["Integration", code(integration.name)],
        ["Direction", direction],
        ["Entities", ", ".join(code(stream.name) for stream in integration.streams)],
        ["Authentication", "; ".join(_sentence(auth) for auth in _auths(integration.source)) or "none"],
        ["Rate limit", ", ".join(code(rate) for rate in limits) or "not written down"],
        ["Sync frequency", prose(str(integration.schedule)) if integration.schedule else "when somebody runs it"],
    ]
    if integration.volume:
        rows.append(["Volume", prose(integration.volume)])
    return table(["", ""], [[f"**{name}**", value] for name, value in rows])


def authentication(integration: Integration) -> list[str]:
    lines: list[str] = []
    for end, part in (("source", integration.source), ("destination", integration.destination)):
        for auth in _auths(part):
            lines += [f"**{prose(name_of(part))}** ({end}), kind {code(kind_of(type(auth)))}: {_sentence(auth)}.", ""]
            lines += [*_auth_facts(auth)]
    if not lines:
        lines = ["The API is asked without credentials.", ""]
    needed = [
        (path, ref)
        for end in ("source", "streams", "destination", "state", "tokens", "alerts")
        for path, ref in references(getattr(integration, end), end)
    ]
    if not needed:
        return [*lines, "The file refers to no secret."]
    rows = [[code(path), ", ".join(code(f"${{{name}}}") for name in ref.names())] for path, ref in needed]
    return [
        *lines,
        "What the file refers to; the values stand nowhere in it, and not in this document.",
        "",
        *table(["Used for", "Comes from"], rows),
    ]


def _auths(part: Part) -> Iterator[Auth]:
    auth = getattr(part, "auth", None)
    if isinstance(auth, Auth):
        inner = getattr(auth, "auths", None)
        yield from inner if inner else (auth,)


def _sentence(auth: Auth) -> str:
    """The kind in words, as its own declaration says it."""
    return prose(_plain_sentence(auth))


def _plain_sentence(auth: Auth) -> str:
    if isinstance(auth, ApiKey):
        return f"A key in the {'query parameter' if auth.in_ == 'query' else auth.in_} {auth.name}"
    said = str(type(auth).model_fields["kind"].description or kind_of(type(auth))).partition(";")[0]
    grant = getattr(auth, "grant", None)
    return f"{said} ({str(grant).replace('_', ' ')})" if grant else said


def way_of_auth(source: Part) -> str:
    """How its requests are authorised, in plain words."""
    return "; ".join(_plain_sentence(auth) for auth in _auths(source)) or "none"


def _auth_facts(auth: Auth) -> list[str]:
    facts = []
    for name, what in (
        ("authorize_url", "Somebody agrees at"),
        ("token_url", "Tokens come from"),
        ("device_url", "Devices are announced at"),
        ("issuer", "The server describes itself at"),
        ("url", "The log-in is at"),
    ):
        if address := getattr(auth, name, None):
            facts.append(f"- {what} {code(place_of(address))}")
    if scopes := getattr(auth, "scopes", ()):
        facts.append(f"- Rights asked for: {', '.join(code(scope) for scope in scopes)}")
    if auth.needs_token:
        early = getattr(auth, "early", None)
        when = f" {format_duration(early)} before it runs out, and" if early else ""
        facts.append(f"- A token is replaced{when} when the API refuses it: once, for all requests that wait")
    elif place := getattr(auth, "name", None):
        facts.append(f"- Sent as {code(place)}")
    return [*facts, ""] if facts else []


def rate_limiting(integration: Integration) -> list[str]:
    source = integration.source
    limits, retry, breaker = (getattr(source, name, None) for name in ("rate_limit", "retry", "circuit_breaker"))
    lines = []
    if limits is not None:
        written = " and ".join(code(rate) for rate in limits.limits)
        lines.append(f"- Limit: {written}, all attempts counted" if written else "- Limit: none is written down")
        for quota in limits.quotas:
            windows = " and ".join(code(rate) for rate in quota.limits)
            lines.append(f"- Limit of {code(quota.path)}: {windows or 'what the API tells'}")
        if limits.burst:
            lines.append(f"- Burst: {limits.burst} requests at once")
        if limits.concurrency:
            lines.append(f"- At the same time: {limits.concurrency} requests")
        learns = "slow it down further" if limits.learn else "are not looked at (learn: false)"
        lines.append(f"- What the API tells: `Retry-After`, `RateLimit` and `X-RateLimit` headers {learns}")
    if retry is not None:
        lines.append(
            f"- Retry: {retry.attempts} attempts a request; waits up to {code(format_duration(retry.max_wait))}, "
            "longer ones end the run with exit code 6 and the time to come back"
        )
    if breaker is not None:
        lines.append(
            f"- Circuit breaker: after {breaker.failures} failures in a row nothing is sent for "
            f"{code(format_duration(breaker.open_for))}, then one probe decides"
        )
    return lines or ["The source is not asked over HTTP."]


def data_mapping(integration: Integration) -> list[str]:
    lines: list[str] = []
    for stream in integration.streams:
        if lines:
            lines.append("")
        lines += [f"### {prose(stream.name)}", "", _way(stream), ""]
        if stream.where:
            kept = ", ".join(f"{code(path)} is {code(value)}" for path, value in stream.where.items())
            lines += [f"Only records where {kept}.", ""]
        if stream.mapping is None:
            lines.append("No mapping: the record as it is.")
        else:
            lines += table(["Source", "Target", "Transform", "Required"], _rows(stream.mapping, "", ""))
    return lines


def _way(stream: Stream) -> str:
    asked = f"{'POST' if stream.query else stream.method} {stream.path.partition('?')[0] or '/'}"
    into = stream.into
    keyed = f" by {', '.join(code(key) for key in stream.primary_key)}" if into.write == "upsert" else ""
    place = into.table or stream.name
    return f"{code(asked)}, records at {code(stream.records or '.')} → {code(place)}, {into.write}{keyed}"


def _rows(mapping: Mapping, above: str, into: str) -> Iterator[list[str]]:
    for field in mapping.fields:
        if field.source is not None:
            source = code(f"{above}{field.source}")
        elif field.template is not None:
            source = f"template {code(field.template)}"
        elif field.coalesce is not None:
            source = f"first of {', '.join(code(path) for path in field.coalesce)}"
        else:
            source = f"constant {code(_constant(field.value))}"
        transform = code(field.transform) if field.transform is not None else ""
        data = field.to_data()
        if isinstance(data, dict) and "default" in data:
            transform += f"{', ' if transform else ''}default {code(_constant(data['default']))}"
        yield [source, code(f"{into}{field.target}"), transform, "yes" if field.required else ""]
        if field.each is not None:
            yield from _rows(field.each, f"{above}{field.source or field.target}[*].", f"{into}{field.target}[].")


def _constant(value: Any) -> str:
    return "null" if value is None else repr(value) if isinstance(value, str) else str(value)


def pagination(integration: Integration) -> list[str]:
    rows = []
    for stream in integration.streams:
        paging = stream.pagination
        if isinstance(paging, Unpaged):
            rows.append([code(stream.name), "none", "one answer holds everything"])
            continue
        fields = {name: value for name, value in paging.to_data().items() if name != "kind"}
        told = ", ".join(code(f"{name}: {value}") for name, value in fields.items())
        rows.append([code(stream.name), code(kind_of(type(paging))), told or "the usual names"])
    return [
        *table(["Stream", "Kind", "Parameters"], rows),
        "",
        "A cursor that repeats, a page that comes twice and a list that moves underneath end the run with an error.",
    ]


def sync_state(integration: Integration, file: str) -> list[str]:
    rows = [
        [code(integration.state_key(stream)), _mode(stream), _key(stream), _gone(stream.deletes)]
        for stream in integration.streams
    ]
    return [
        *table(["Row in `sync_state`", "Mode", "Primary key", "Deletes"], rows),
        "",
        _kept(integration),
        "",
        "After a crash, run it again: it goes on from the last checkpoint. A record that cannot be mapped or written is kept "
        "with its path and its reason, and costs only itself.",
        "",
        *table(
            ["To", "Run"],
            [
                ["see how far it is", code(f"syncline status {file}")],
                ["see what was rejected, and try it again", code(f"syncline rejects list {file}")],
                ["read everything anew", code(f"syncline run {file} --full")],
                ["go back to an earlier moment", code(f"syncline state rewind {file} --to CURSOR")],
            ],
        ),
    ]


def _mode(stream: Stream) -> str:
    incremental = stream.incremental
    if incremental is None:
        return "everything, every time"
    place = incremental.param or incremental.variable or incremental.body_param or ""
    lookback = f", {code(format_duration(incremental.lookback))} of lookback" if incremental.lookback else ""
    return f"incremental by {code(incremental.cursor)}, sent as {code(place)}{lookback}"


def _key(stream: Stream) -> str:
    return ", ".join(code(path) for path in stream.primary_key) or "none"


def _gone(deletes: Deletes | None) -> str:
    if deletes is None:
        return "not looked for"
    found = "marked" if deletes.when is not None else "missing from a complete pass"
    return f"{found}, {deletes.how}"


def _kept(integration: Integration) -> str:
    destination = integration.destination
    if kind_of(type(destination)) in ("sql", "duckdb"):
        return "Rows and checkpoint are committed in one transaction of the destination's own database."
    state = integration.state
    place = "`.syncline/state.db`" if state is None else code(place_of(state))
    return f"The state is kept in {place}; a checkpoint is written after its rows, never before."


def checklist(integration: Integration, file: str) -> list[str]:
    points = [f"- [{'x' if point.done else ' '}] {point.what}: {prose(point.why)}" for point in readiness(integration)]
    return [
        "As far as the file says it; what only a trial can show, each line with its evidence, is shown by "
        f"{code(f'syncline check {file}')}.",
        "",
        *points,
    ]
