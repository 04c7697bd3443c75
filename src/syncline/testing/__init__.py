"""The conformance suite that every destination passes: for the tests of those that are written elsewhere. Needs pytest
(`pip install 'syncline[testing]'`).

class TestNotebook(DestinationSuite):
    bench_class = NotebookBench
"""

from syncline.model import late_names

_HOMES = {
    "bench": ("Abilities", "Bench", "at", "batch", "done"),
    "clock": ("SimulatedClock",),
    "suite": (
        "Crashes",
        "DestinationSuite",
        "Exactness",
        "Growth",
        "Lists",
        "Removal",
        "Writing",
    ),
    "values": ("same",),
}

__all__ = sorted(name for names in _HOMES.values() for name in names)  # noqa: PLE0605 – a list of text, made here
__getattr__ = late_names(__name__, _HOMES)
