"""From a spec to a finished run: run, preview, plan, and dead letters tried again."""

from syncline.engine.fetching import resolved
from syncline.engine.many import arun_many, run_many
from syncline.engine.opening import Stage, opened_file_state, opened_state
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
