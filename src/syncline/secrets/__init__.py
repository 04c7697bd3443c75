"""References to values, and values that cannot be printed."""

from syncline.secrets.managers import Missing, Step, Steps, Surroundings, manager, schemes
from syncline.secrets.redactor import Redactor, redactor
from syncline.secrets.resolve import references, resolve, resolving

__all__ = [
    "Missing",
    "Redactor",
    "Step",
    "Steps",
    "Surroundings",
    "manager",
    "redactor",
    "references",
    "resolve",
    "resolving",
    "schemes",
]
