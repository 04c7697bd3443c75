"""A simulator of an integration's API, made from the integration alone: pure, told the time, and asked one request at a time."""

from syncline.rehearsal.simulator.simulator import Simulator
from syncline.rehearsal.simulator.spoilt import Spoilt
from syncline.rehearsal.simulator.wire import Answer, Call
from syncline.rehearsal.simulator.world import World

__all__ = ["Answer", "Call", "Simulator", "Spoilt", "World"]
