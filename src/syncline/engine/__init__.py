"""From a spec to a finished run: run, preview, plan, and dead letters tried again."""

from syncline.engine.fetching import resolved
from syncline.engine.opening import Stage, opened_file_state, opened_state
from syncline.engine.preview import Plan, PreviewedRecord, StreamPlan, StreamPreview, plan, preview
from syncline.engine.report import Account, Conduct, Report, StreamReport
from syncline.engine.run import arun, run
from syncline.model import late_names

__all__ = [
    "Account",
    "Conduct",
    "Plan",
    "PreviewedRecord",
    "Report",
    "Retried",
    "Stage",
    "StreamPlan",
    "StreamPreview",
    "StreamReport",
    "arun",
    "arun_many",
    "opened_file_state",
    "opened_state",
    "plan",
    "preview",
    "resolved",
    "retry_rejects",
    "run",
    "run_many",
]

__getattr__ = late_names(__name__, {"many": ("arun_many", "run_many"), "rejects": ("Retried", "retry_rejects")})
