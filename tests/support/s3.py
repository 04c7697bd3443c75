"""An S3 server of this test session, for it and for the processes that it starts."""

from __future__ import annotations

import atexit
import logging
import os
from typing import Any

ADDRESS = "SYNCLINE_TEST_S3"
KEY, SECRET = "AKIATESTTESTTESTTEST", "canary-secret-of-the-store-4711"


def endpoint() -> str:
    """The address of moto's server; it is started by the first who asks, and ends with the process."""
    if ADDRESS not in os.environ:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        atexit.register(server.stop)
        host, port = server.get_host_and_port()
        os.environ[ADDRESS] = f"http://{host}:{port}"
    return os.environ[ADDRESS]


def options() -> dict[str, Any]:
    """What `storage:` says, with the credentials as they are."""
    return {"key": KEY, "secret": SECRET, "endpoint_url": endpoint(), "client_kwargs": {"region_name": "eu-west-1"}}


def file_system() -> Any:
    """A client of its own to look into the store."""
    import s3fs

    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False, **options())


def bucket(name: str) -> str:
    """A bucket of this name, made if it is not there."""
    fs = file_system()
    if not fs.exists(name):
        fs.mkdir(name)
    return name
