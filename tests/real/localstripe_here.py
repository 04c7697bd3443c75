"""Localstripe on loopback alone and without its pickle file: its own start listens everywhere and writes to /tmp."""

from __future__ import annotations

import sys

from aiohttp import web
from localstripe.resources import Store

Store.dump_to_disk = lambda self: None

from localstripe.server import app  # noqa: E402  (reads the class above)

web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
