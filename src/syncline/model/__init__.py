"""The nouns: what every room of the house talks about, and the register of kinds."""

from syncline.model.clock import Clock, SystemClock
from syncline.model.exact_json import BodyTooDeep, MalformedBody, decode_json, encode_json, encode_json_lines
from syncline.model.exchange import Headers, Request, Response, origin_of
from syncline.model.fields import RecordPath, Several
from syncline.model.late import late_names
from syncline.model.part import Part, announce, kind_of, kinds, part_field, register
from syncline.model.paths import MISSING, PathError, compile_path, parse_path, put_path, read_path
from syncline.model.records import Batch, Checkpoint, Page, Record, Rejected, Row, Written
from syncline.model.shapes import Elements, Shape, shape_of
from syncline.model.text import LITERAL_SECRET, Reference, Secret, SecretText, Text, reveal
from syncline.model.token import Token
from syncline.model.units import Duration, Rate, Ratio, Size, format_duration, format_rate, format_size

__all__ = [
    "LITERAL_SECRET",
    "MISSING",
    "Batch",
    "BodyTooDeep",
    "Checkpoint",
    "Clock",
    "Duration",
    "Elements",
    "Headers",
    "MalformedBody",
    "Page",
    "Part",
    "PathError",
    "Rate",
    "Ratio",
    "Record",
    "RecordPath",
    "Reference",
    "Rejected",
    "Request",
    "Response",
    "Row",
    "Secret",
    "SecretText",
    "Several",
    "Shape",
    "Size",
    "SystemClock",
    "Text",
    "Token",
    "Written",
    "announce",
    "compile_path",
    "decode_json",
    "encode_json",
    "encode_json_lines",
    "format_duration",
    "format_rate",
    "format_size",
    "kind_of",
    "kinds",
    "late_names",
    "origin_of",
    "parse_path",
    "part_field",
    "put_path",
    "read_path",
    "register",
    "reveal",
    "shape_of",
]
