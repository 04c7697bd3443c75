"""References to values, and values that cannot be printed."""

from syncline.secrets.managers import Missing, Surroundings, manager, schemes
from syncline.secrets.redactor import Redactor, redactor
from syncline.secrets.resolve import references, resolve

__all__ = ["Missing", "Redactor", "Surroundings", "manager", "redactor", "references", "resolve", "schemes"]
