"""What must survive a power cut: checkpoints, leases, runs, dead letters."""

from syncline.state.owner import Owner
from syncline.state.protocol import DeadLetterBox, RunLog, StateStore
from syncline.state.records import DeadLetter, Lease, RejectStatus, RunRecord, Status, StreamState

__all__ = [
    "DeadLetter",
    "DeadLetterBox",
    "Lease",
    "Owner",
    "RejectStatus",
    "RunLog",
    "RunRecord",
    "StateStore",
    "Status",
    "StreamState",
]
