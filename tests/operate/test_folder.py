"""A folder that is looked at once a second, for months: what counts as a file of it, and what looking and knowing cost."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

from syncline.operate.folder import Folder, files_in
from syncline.operate.home import Home
from syncline.operate.server import Server
from tests.support.cost import assert_costs_at_most

FILE = """\
name: {name}
schedule: daily at 02:00
source: {{kind: rest, base_url: https://api.shop.example}}
streams: [{{name: orders, path: /orders, primary_key: id, mapping: {{id: id, total: total, email: customer.email}}}}]
destination: {{kind: sql, url: "sqlite:///{folder}/{name}.db"}}
"""


def filled(folder: Path, number: int) -> Path:
    root = folder / "integrations"
    root.mkdir()
    for place in range(number):
        name = f"shop-{place:04}"
        root.joinpath(f"{name}.yaml").write_text(FILE.format(name=name, folder=folder))
    return root


def test_files_are_found_in_folders_and_behind_links_and_hidden_ones_are_not(tmp_path: Path) -> None:
    root = tmp_path / "integrations"
    for name in (
        "a.yaml",
        "b.yml",
        "below/deep/c.yaml",
        ".hidden/d.yaml",
        ".e.yaml",
        "notes.txt",
        "folder.yaml/f.yaml",
    ):
        root.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        root.joinpath(name).write_text("name: x\n")
    root.joinpath("linked.yaml").symlink_to(".hidden/d.yaml")  # so a cluster mounts its files
    root.joinpath("gone.yaml").symlink_to("nowhere.yaml")
    root.joinpath("round").symlink_to(root)
    known = ["a.yaml", "b.yml", "below/deep/c.yaml", "folder.yaml/f.yaml", "linked.yaml"]
    assert [str(path.relative_to(root)) for path in files_in(root) if path.exists()] == known
    assert sorted(str(found.path.relative_to(root)) for found in Folder(root).look(at_once=True).found) == known
    assert files_in(root / "a.yaml") == [root / "a.yaml"]
    assert files_in(tmp_path / "nowhere") == []


def test_a_thousand_quiet_files_cost_less_than_a_hundredth_of_a_core(tmp_path: Path) -> None:
    folder = Folder(filled(tmp_path, 1_000))
    assert len(folder.look(at_once=True).found) == 1_000
    assert_costs_at_most(0.008, folder.look)
    assert folder.look().found == ()


async def test_an_integration_that_waits_takes_little_memory(tmp_path: Path) -> None:
    server = Server(filled(tmp_path, 150), home=Home(tmp_path / ".syncline"))
    few = Server(tmp_path / "integrations" / "shop-0000.yaml", home=Home(tmp_path / ".syncline"))
    await few.survey()  # what is imported for the first of them
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await server.survey()
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / len(server.served)
    finally:
        tracemalloc.stop()
    assert len(server.served) == 150
    assert each < 20_000, f"{each:.0f} bytes for each"
