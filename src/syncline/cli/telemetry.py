"""OpenTelemetry, where somebody asks for it and has it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from syncline import events
from syncline.errors import PlanError


def telemetry() -> AbstractContextManager[events.Listener]:
    """A listener that sends traces and metrics while its context is open. Raises PlanError where the extra is missing."""
    try:
        from syncline.operate.traces import exported  # late: an optional extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise PlanError(
            "--otel needs OpenTelemetry, which is not installed", hint="pip install 'syncline[otel]'"
        ) from None
    return exported()
