"""What every victim would import; a process that has it already makes victims at once."""

import syncline.destinations.jsonl_sink
import syncline.destinations.sql.sink
import syncline.destinations.sql.sqlite
import syncline.engine
import syncline.pagination.cursor
import syncline.pagination.offset
import syncline.sources.rest
import syncline.state.store  # noqa: F401
