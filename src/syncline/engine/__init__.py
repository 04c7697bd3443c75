"""From a spec to a finished run: run, preview, plan, dead letters tried again, effects in doubt settled."""

from syncline.engine.fetching import resolved
from syncline.engine.opening import opened_state
from syncline.engine.outbox import Resent, confirm_effects, drop_effects, in_doubt, retry_effects
from syncline.engine.preview import Plan, PreviewedRecord, StreamPlan, StreamPreview, plan, preview
from syncline.engine.rejects import Retried, retry_rejects
from syncline.engine.report import Account, Conduct, Report, StreamReport
from syncline.engine.run import arun, run

__all__ = [
    "Account",
    "Conduct",
    "Plan",
    "PreviewedRecord",
    "Report",
    "Resent",
    "Retried",
    "StreamPlan",
    "StreamPreview",
    "StreamReport",
    "arun",
    "confirm_effects",
    "drop_effects",
    "in_doubt",
    "opened_state",
    "plan",
    "preview",
    "resolved",
    "retry_effects",
    "retry_rejects",
    "run",
]
