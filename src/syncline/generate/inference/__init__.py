"""From a document or a live API to guesses about all that an integration has to say, each with its evidence."""

from syncline.generate.inference.api import Api, Entity, RecordField, plain
from syncline.generate.inference.combining import combine
from syncline.generate.inference.discovering import discover
from syncline.generate.inference.documents import DocumentError
from syncline.generate.inference.guess import Finding, Guess, unknown
from syncline.generate.inference.probing import Credentials, probe
from syncline.generate.inference.reading import read

__all__ = [
    "Api",
    "Credentials",
    "DocumentError",
    "Entity",
    "Finding",
    "Guess",
    "RecordField",
    "combine",
    "discover",
    "plain",
    "probe",
    "read",
    "unknown",
]
