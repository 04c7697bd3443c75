"""Tests have a home for settings of their own; what did not run is said at the end, so that nobody overlooks it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter

import pytest

HOME = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Whoever runs the tests may have a key that seals tokens; it is neither used nor changed."""
    config.stash[HOME] = os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="syncline-home-")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[HOME], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if "does not declare" not in _reason(one)]
    if not skipped:
        return
    reasons = Counter(_reason(report) for report in skipped)
    terminalreporter.section(f"{len(skipped)} TESTS DID NOT RUN", sep="!", yellow=True, bold=True)
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5} × {reason}")
    terminalreporter.line("SYNCLINE_REQUIRE_SERVICES=1 makes what is missing a failure")


def _reason(report: pytest.TestReport) -> str:
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return told.removeprefix("Skipped: ")
