"""What every victim would import and make anew; a process that has done it already makes victims at once."""

import syncline.destinations.file.csv_text
import syncline.destinations.file.opening
import syncline.destinations.file.parquet
import syncline.destinations.file.sink
import syncline.destinations.file.text_files
import syncline.destinations.sql.sink
import syncline.destinations.sql.sqlite
import syncline.state.store  # noqa: F401
from syncline.http.trust import import_aiohttp
from syncline.spec import loads

import_aiohttp()
loads(
    """\
name: warm
source: {kind: rest, base_url: "http://127.0.0.1:9"}
streams:
  - name: things
    path: /things
    primary_key: id
    pagination: {kind: cursor, next: next, param: cursor}
    incremental: {cursor: updated_at, param: since}
    mapping: {id: {source: id, required: true}, at: {source: at, transform: iso8601}, lines: {source: lines, each: {sku: sku}}}
    into: {write: upsert, children: {lines: {table: lines}}}
    deletes: {when: gone}
  - {name: others, path: /others, primary_key: id, pagination: {kind: offset, total: total}}
destination: {kind: sql, url: "sqlite:///warm.db"}
"""
)
