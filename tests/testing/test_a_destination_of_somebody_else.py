"""The destination that the documents show passes the suite, and each way to break it fails the test that is meant for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/writing-a-destination.md"
BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)

MUTANTS = {
    "cards_behind_the_checkpoint": (
        "        put = sum(self.box.put(name, text) for name, text in cards)\n"
        "        await self.state.commit(\n"
        "            lease, checkpoint, now=now, written=put, rejected=[*rejected, *refused], resolved=resolved\n"
        "        )\n",
        "        put = sum(self.box.change(name, text) is not None for name, text in cards)\n"
        "        await self.state.commit(\n"
        "            lease, checkpoint, now=now, written=put, rejected=[*rejected, *refused], resolved=resolved\n"
        "        )\n"
        "        [self.box.put(name, text) for name, text in cards]\n",
        {"test_r1_killed_anywhere_nothing_is_lost_and_nothing_is_there_twice"},
    ),
    "no_fence": (
        "        await self.state.commit(lease, None, now=now)",
        "        pass",
        {"test_r31_a_fenced_out_writer_leaves_nothing"},
    ),
    "rejects_forgotten": (
        "[*rejected, *refused]",
        "refused",
        {"test_r28_rejects_are_kept_with_the_checkpoint_and_landed_once"},
    ),
    "any_mode": ('if target.write != "upsert":', "if False:", {"test_what_is_not_declared_is_refused"}),
    "always_written": (
        "if self.change(name, text) is None:",
        "if False:",
        {"test_upsert_inserts_updates_and_leaves_alone_what_is_the_same"},
    ),
    "rounded": (
        "record = dict(zip(batch.columns, row, strict=True))",
        "record = {n: float(v) if 'Decimal' in str(type(v)) else v for n, v in zip(batch.columns, row)}",
        {
            "test_r34_numbers_arrive_exactly_while_their_column_widens",
            "test_r34_every_kind_of_value_arrives_exactly_or_is_refused_with_its_path",
        },
    ),
    "unchecked": (
        'if (why := misfit(value, "json"))',
        "if (why := None)",
        {
            "test_r35_a_lone_surrogate_costs_its_record_and_nul_is_exact_or_counted",
            "test_r34_every_kind_of_value_arrives_exactly_or_is_refused_with_its_path",
        },
    ),
    "trial_writes": (
        "        would = Counter(",
        "        [box.put(name, text) for name, text in cards]\n        would = Counter(",
        {"test_a_trial_says_what_would_happen_and_changes_nothing"},
    ),
    "any_name": ('if not re.fullmatch(r"[\\w-]{1,100}", name):', "if False:",
                 {"test_s15_s16_hostile_table_names_are_refused"}),
    "a_missing_key_is_a_key": (
        "missing = next((name for name in self.key if record.get(name) is None), None)",
        "missing = None",
        {"test_r28_a_record_without_its_key_costs_itself"},
    ),
}  # fmt: skip


@pytest.mark.slow
def test_the_example_passes_and_each_broken_one_fails_its_own_test(tmp_path: Path) -> None:
    sources = dict(BLOCK.findall(PAGE.read_text()))
    for name, (sound, broken, _) in {"sound": ("", "", None), **MUTANTS}.items():
        assert sound in sources["cards.py"], name
        folder = tmp_path / name
        folder.mkdir()
        kind = sources["cards.py"].replace('"cards"', f'"{name}"')
        (folder / f"cards_{name}.py").write_text(kind.replace(sound, broken, 1))
        (folder / f"test_{name}.py").write_text(sources["test_cards.py"].replace("from cards", f"from cards_{name}"))
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=told.xml", "."]
    told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)
    failed: dict[str, set[str]] = {name: set() for name in ("sound", *MUTANTS)}
    passed = 0
    for case in ElementTree.parse(tmp_path / "told.xml").iter("testcase"):
        name = str(case.get("classname")).split(".")[0]
        if case.find("failure") is not None or case.find("error") is not None:
            failed[name].add(str(case.get("name")).partition("[")[0])
        elif name == "sound" and case.find("skipped") is None:
            passed += 1
    assert failed == {"sound": set(), **{name: meant for name, (_, _, meant) in MUTANTS.items()}}, told.stdout[-3000:]
    assert passed >= 20
