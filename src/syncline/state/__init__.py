"""What must survive a power cut: checkpoints, leases, runs, dead letters, effects on other APIs."""

from syncline.state.owner import Owner
from syncline.state.protocol import DeadLetterBox, EffectBox, KeptCircuit, RunLog, StateStore
from syncline.state.records import (
    ORIGIN,
    DeadLetter,
    Effect,
    Lease,
    Link,
    Operation,
    Outcome,
    RejectStatus,
    RunRecord,
    Status,
    StreamState,
)

__all__ = [
    "ORIGIN",
    "DeadLetter",
    "DeadLetterBox",
    "Effect",
    "EffectBox",
    "KeptCircuit",
    "Lease",
    "Link",
    "Operation",
    "Outcome",
    "Owner",
    "RejectStatus",
    "RunLog",
    "RunRecord",
    "StateStore",
    "Status",
    "StreamState",
]
