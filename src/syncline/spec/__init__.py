"""A whole integration as one value: load it, check it, write it down again."""

from syncline.spec.alert import Alert
from syncline.spec.integration import Integration, OnReject, Stream
from syncline.spec.keys import key_columns
from syncline.spec.load import check_value, dump, load, loads
from syncline.spec.schedule import Schedule
from syncline.spec.schema import json_schema

__all__ = [
    "Alert",
    "Integration",
    "OnReject",
    "Schedule",
    "Stream",
    "check_value",
    "dump",
    "json_schema",
    "key_columns",
    "load",
    "loads",
]
