"""Acts for tests: a file, some faults, and what came of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from syncline.rehearsal.acting import Act, play
from syncline.rehearsal.evidence import ActReport
from syncline.rehearsal.simulator.faults import Fault
from syncline.rehearsal.staging import staged
from syncline.spec import Integration, loads

PLAIN = """
name: things
source:
  kind: rest
  base_url: https://api.things.example/v1
  auth: {kind: bearer, token: "${THINGS_TOKEN}"}
  rate_limit: 10/s
streams:
  - name: things
    path: /things
    records: data
    primary_key: id
    pagination: {kind: cursor, next: meta.next, param: cursor, limit_param: limit, limit: 10}
    incremental: {cursor: updated_at, param: since}
    mapping:
      id: {source: id, required: true}
      name: {source: name, required: true}
      amount: {source: price, transform: cents}
      seen_at: {source: seen_at, transform: iso8601}
      updated_at: updated_at
destination: {kind: sql, url: "sqlite:///things.db"}
"""

RENEWED = """
name: notes
source:
  kind: rest
  base_url: https://api.notes.example
  auth:
    kind: oauth2
    grant: refresh_token
    token_url: https://api.notes.example/token
    client_id: ${NOTES_ID}
    client_secret: ${NOTES_SECRET}
    refresh_token: ${NOTES_REFRESH}
streams:
  - name: notes
    path: /notes
    records: items
    primary_key: id
    pagination: {kind: offset, limit: 8}
  - name: tags
    path: /tags
    primary_key: id
    pagination: {kind: link, limit_param: per_page, limit: 8}
destination: {kind: sql, url: "sqlite:///notes.db"}
"""

WRITTEN = """
name: contacts
source:
  kind: rest
  base_url: https://api.shop.example/v2
  auth: {kind: session, path: /login, json: {user: me, password: "${SHOP_PASSWORD}"}, token: token, expires_path: expires_in}
streams:
  - name: contacts
    path: /customers
    records: customers
    primary_key: id
    pagination: {kind: page, size: 6, total: total}
    mapping: {id: {source: id, required: true}, email: {source: email, required: true}, name: name}
    into:
      create: POST /contacts
      update: PATCH /contacts/{id}
      id: key
      idempotency_header: Idempotency-Key
destination:
  kind: rest
  base_url: https://crm.example/v1
  auth:
    kind: oauth2
    token_url: https://login.crm.example/token
    client_id: ${CRM_ID}
    client_secret: ${CRM_SECRET}
  rate_limit: {limits: [20/s], concurrency: 4}
"""


def act(
    integration: Integration | str, folder: Path, *faults: Fault, seed: int = 1, size: int = 60, **rest: Any
) -> ActReport:
    """Play one act over streams of this size."""
    if isinstance(integration, str):
        integration = loads(integration)
    sizes = {stream.name: size for stream in integration.streams}
    plan = Act(name="test", seed=seed, sizes=sizes, faults=faults)
    return asyncio.run(play(staged(integration, seed, folder), plan, **rest))
