"""Where the rows of a rehearsal go: files in a folder of its own, or a schema or database of its own at a real server."""

from syncline.rehearsal.scratch.folder import Scratch
from syncline.rehearsal.scratch.making import DESTINATION, Scratches, scratches, shown
from syncline.rehearsal.scratch.tables import ServerScratch, scratch_at

__all__ = ["DESTINATION", "Scratch", "Scratches", "ServerScratch", "scratch_at", "scratches", "shown"]
