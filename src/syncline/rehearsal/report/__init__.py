"""A rehearsal as one page that can be attached to a change request."""

from syncline.rehearsal.report.page import page

__all__ = ["page"]
