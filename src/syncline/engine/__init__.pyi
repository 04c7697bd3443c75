"""For type checkers: what `__init__.py` imports, at once or when it is first used."""

from syncline.engine.fetching import resolved as resolved
from syncline.engine.many import arun_many as arun_many, run_many as run_many
from syncline.engine.opening import Stage as Stage, opened_file_state as opened_file_state, opened_state as opened_state
from syncline.engine.preview import (
    Plan as Plan,
    PreviewedRecord as PreviewedRecord,
    StreamPlan as StreamPlan,
    StreamPreview as StreamPreview,
    plan as plan,
    preview as preview,
)
from syncline.engine.rejects import Retried as Retried, retry_rejects as retry_rejects
from syncline.engine.report import (
    Account as Account,
    Conduct as Conduct,
    Report as Report,
    StreamReport as StreamReport,
)
from syncline.engine.run import arun as arun, run as run
