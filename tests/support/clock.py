"""The clock of the conformance suite, for all tests."""

from syncline.testing.clock import SimulatedClock

__all__ = ["SimulatedClock"]
