"""A simulator of an integration's API, made from the integration alone: pure, told the time, and asked one request at a time."""

from syncline.rehearsal.simulator.spoilt import Spoilt  # wherever faults are looked up by name, its are known too

__all__ = ["Spoilt"]
