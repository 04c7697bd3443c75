"""What became of each fault: of the records that it touched, or of the run that it struck."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from syncline.rehearsal.evidence import ActReport, Pass
from syncline.rehearsal.holdings import Holdings, Row
from syncline.rehearsal.oracle import Key, Oracle
from syncline.rehearsal.simulator.faults import DestinationAway, faults
from syncline.rehearsal.simulator.seen import Struck, Touched

UNNOTICED = frozenset({"same-page", "cursor-loop", "overlap", "twice", "clock-ahead", "clock-behind"})
"""Faults that nothing has to be asked again for."""
AWAY = str(DestinationAway.__struct_config__.tag)
SHOWN = 3
"""Different fates that are told of one fault."""


def settle(struck: Iterable[Struck], oracles: Sequence[Oracle], holdings: Holdings, run: int) -> None:
    """Look after a run for the records that faults touched, and say of each what became of it, where that is known by now."""
    waiting = [one for fault in struck for one in fault.records if not one.became]
    for oracle in oracles:
        touched = [one for one in waiting if one.stream == oracle.stream.name]
        if touched:
            _Looking(oracle, touched, holdings).tell(run)


class _Looking:
    """One stream's rows and dead letters, as far as they are of the records that were touched."""

    def __init__(self, oracle: Oracle, touched: list[Touched], holdings: Holdings) -> None:
        self._oracle, self._touched = oracle, touched
        self._letters = {
            number: letter.why
            for letter in holdings.letters(oracle.state_key)
            if (number := oracle.number_in(json.loads(letter.record))) is not None
        }
        keys = {key for one in touched for key in self._keys(one)}
        self._rows: dict[Key, list[Row]] = {}
        for row in holdings.rows(oracle.stream):
            if (key := oracle.key_of(row)) in keys:
                self._rows.setdefault(key, []).append(row)

    def _keys(self, one: Touched) -> Iterable[Key]:
        history = self._oracle.world.history(one.stream, one.number)
        for _, _, meant, _ in self._oracle.mapped([(one.number, version) for version in history]):
            if meant is not None:
                yield self._oracle.key_of(meant)

    def tell(self, run: int) -> None:
        for one in self._touched:
            history = self._oracle.world.history(one.stream, one.number)
            one.became = self._gone(one, run) if history[one.version].gone else self._kept(one, run)

    def _gone(self, one: Touched, run: int) -> str:
        deletes = self._oracle.stream.deletes
        column = deletes.column if deletes is not None else ""
        rows = [row for key in self._keys(one) for row in self._rows.get(key, ())]
        if all(row.get(column) is not None for row in rows):
            return f"{'marked as deleted' if rows else 'without a row'} after run {run}"
        return "" if deletes is not None else "still with a row, as the file does not look for deletions"

    def _kept(self, one: Touched, run: int) -> str:
        oracle = self._oracle
        history = oracle.world.history(one.stream, one.number)
        _, _, meant, rejected = next(iter(oracle.mapped([(one.number, history[one.version])])))
        letter = self._letters.get(one.number)
        if meant is not None and self._is_there(one, one.version):
            since = ", from the cursor on" if run > 1 and oracle.stream.incremental else ""
            return f"written by run {run}{since}"
        if letter is not None:
            return f"kept as a dead letter by run {run} ({letter})"
        if meant is None and not rejected:
            return "left out by `where`"
        newer = range(one.version + 1, len(history))
        return f"written by run {run}, in a newer version" if any(self._is_there(one, other) for other in newer) else ""

    def _is_there(self, one: Touched, version: int) -> bool:
        meant = self._oracle.meant(one.number, self._oracle.world.history(one.stream, one.number)[version])
        if meant is None:
            return False
        return any(self._oracle.same(row, meant) for row in self._rows.get(self._oracle.key_of(meant), ()))


def conclude(report: ActReport) -> None:
    """Put into each fault's words what became of it, where that is more than a request that was asked again."""
    kinds = faults()
    for struck in report.struck:
        run, this = next((number, one) for number, one in enumerate(report.passes, 1) if struck.at <= one.ended)
        if kinds[struck.fault].of_records:
            struck.became = _of_records(struck.records)
        elif this.exit_code and not _asked_again_within(struck, this):
            later = next((number for number, one in enumerate(report.passes, 1) if number > run and one.complete), None)
            whole = f", run {later} brought everything" if later is not None else ""
            struck.became = f"run {run} ended with exit code {this.exit_code} and said why{whole}"
        elif struck.fault == AWAY:
            struck.became = _waited(this, run)
        elif struck.fault in UNNOTICED:
            struck.became = f"run {run} went on, and nothing came twice or was left out"


def _asked_again_within(struck: Struck, this: Pass) -> bool:
    return struck.after is not None and struck.at + struck.after <= this.ended


def _of_records(records: list[Touched]) -> str:
    if not records:
        return "no record was concerned: changes of these are never asked for"
    fates = Counter(one.became or "not seen by any run" for one in records)
    told = [f"{count} {fate}" if len(records) > 1 else fate for fate, count in fates.most_common(SHOWN)]
    if len(records) > 1:
        return f"{len(records)} records: {'; '.join(told)}"
    how = f" ({records[0].how})" if records[0].how else ""
    return f"record {records[0].number + 1}{how}: {told[0]}"


def _waited(this: Pass, run: int) -> str:
    waits = sum(event["type"] == "Waiting" and "cannot be reached" in event["reason"] for event in this.events)
    if not waits:
        return f"run {run} waited until it was free, and went on"
    return f"run {run} waited {waits} times, connected anew and went on"
