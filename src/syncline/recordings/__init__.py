"""What an API answered once, kept without secrets beside the integration, and played again offline."""

from syncline.recordings.answers import AskingOnce, Kept
from syncline.recordings.making import record
from syncline.recordings.recording import Exchange, Expected, Recording, read_recordings, recordings_folder
from syncline.recordings.replaying import Replayed, pretended, replay

__all__ = [
    "AskingOnce",
    "Exchange",
    "Expected",
    "Kept",
    "Recording",
    "Replayed",
    "pretended",
    "read_recordings",
    "record",
    "recordings_folder",
    "replay",
]
