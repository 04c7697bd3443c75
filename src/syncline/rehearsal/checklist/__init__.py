"""The production checklist: what an integration has to show before it is let into production, each line with its evidence."""

from syncline.rehearsal.checklist.checking import Checked, check
from syncline.rehearsal.checklist.line import LINES, LIVE, Line
from syncline.rehearsal.checklist.live import look

__all__ = ["LINES", "LIVE", "Checked", "Line", "check", "look"]
