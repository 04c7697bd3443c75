"""Files, as anybody would read them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
from abc import abstractmethod
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from tests.crash.api import Api
from tests.crash.oracle import FIELDS, Found, Raw
from tests.crash.places.place import WithStateFile
from tests.support import s3

NULL = "\\N"
Contents = dict[str, bytes]


class Files(WithStateFile):
    """Below `out`. Where a set of many files is exchanged, the manifests say which are current; else every visible file is."""

    modes = ("append", "replace")
    stations = (
        "file appended",
        "file committed",
        "file completed",
        "dead letters written",
        "checkpoint written",
        "committed",
        "pass committed",
        "file published",
        "manifest written",
    )
    publishes = True
    by_manifest: ClassVar[bool] = False

    @abstractmethod
    def read(self, name: str, content: bytes) -> list[Raw]:
        """Every row of a file; raises where a line or the file is torn."""

    def contents(self) -> Contents:
        """Every file there is below the root, hidden ones too."""
        out = self.folder / "out"
        return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}

    def found(self) -> Found:
        contents = self.contents()
        visible = {name for name in contents if not any(part[0] in "._" for part in name.split("/"))}
        listed: list[str] = []
        stale: list[str] = []
        for name, content in contents.items():
            if name.startswith("_manifest/") and "/." not in name:
                for file in json.loads(content)["files"]:
                    there = contents[file["path"]]
                    if (file["bytes"], file["sha256"]) != (len(there), hashlib.sha256(there).hexdigest()):
                        assert not self.by_manifest, f"{file['path']} is not what the manifest says"
                        stale.append(f"the manifest of {file['path']}")  # a lone file is exchanged before it
                    listed.append(file["path"])
        assert len(listed) == len(set(listed)), "two manifests name the same file"
        current = listed if self.by_manifest else sorted(visible)
        hidden = [name for name in contents if name not in visible and not name.startswith("_manifest/")]
        return Found(
            rows=[row for name in current for row in self.read(name, contents[name])],
            lines=None,
            letters=self.letters(),
            state=self.state(),
            leftovers=[*hidden, *self.spooled(), *stale, *sorted(visible ^ set(listed))],
        )

    def spooled(self) -> list[str]:
        return []


class Jsonl(Files):
    name = "jsonl"
    batch = 5_000

    def destination(self) -> dict[str, Any]:
        return {"kind": "file", "path": "out"}

    def read(self, name: str, content: bytes) -> list[Raw]:
        return lines_of(name, content)


class Csv(Files):
    name = "csv"
    batch = 20_000

    def destination(self) -> dict[str, Any]:
        return {"kind": "file", "path": "out", "format": "csv", "csv": {"formulas": "keep", "null": NULL}}

    def read(self, name: str, content: bytes) -> list[Raw]:
        assert not content or content.endswith(b"\r\n"), f"{name} ends in the middle of a line"
        csv.field_size_limit(sys.maxsize)
        rows = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
        return [{column: None if text == NULL else text for column, text in row.items()} for row in rows]


class Parquet(Files):
    name = "parquet"
    batch = 20_000
    driver = ("duckdb", "syncline.destinations.file.parquet")

    def destination(self) -> dict[str, Any]:
        return {"kind": "file", "path": "out", "format": "parquet"}

    def read(self, name: str, content: bytes) -> list[Raw]:
        import duckdb

        assert content.startswith(b"PAR1") and content.endswith(b"PAR1"), f"{name} is torn"
        copy = self.folder / "look.parquet"
        copy.write_bytes(content)
        columns = ", ".join(f"{column}::VARCHAR AS {column}" for column in (*FIELDS, "lines"))
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            cursor = connection.execute(f"SELECT {columns} FROM read_parquet('{copy}')")
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Partitioned(Parquet):
    """A file for each value of a column, and several where one would get large."""

    name = "partitioned"
    by_manifest = True

    def destination(self) -> dict[str, Any]:
        return {"kind": "file", "path": "out/{stream}/active={active}/{run}.parquet", "max_file": "100KB"}


class ObjectStore(Jsonl):
    """A bucket of S3, as moto makes them."""

    name = "s3"
    by_manifest = True
    driver = ("s3fs", "syncline.destinations.file.remote")

    def __init__(self, folder: Path, api: Api) -> None:
        super().__init__(folder, api)
        self.bucket = s3.bucket(f"crash-{folder.name.replace('_', '-')}")

    def destination(self) -> dict[str, Any]:
        path = f"s3://{self.bucket}/out/{{stream}}/{{date}}/{{run}}.jsonl.gz"
        storage = {**s3.options(), "key": "${STORE_KEY}", "secret": "${STORE_SECRET}"}
        return {"kind": "file", "path": path, "storage": storage, "spool": "spool"}

    def environment(self) -> dict[str, str]:
        return {"STORE_KEY": s3.KEY, "STORE_SECRET": s3.SECRET}

    def contents(self) -> Contents:
        store, root = s3.file_system(), f"{self.bucket}/out/"
        return {path.removeprefix(root): store.cat_file(path) for path in sorted(store.find(root))}

    def read(self, name: str, content: bytes) -> list[Raw]:
        return lines_of(name, gzip.decompress(content))

    def spooled(self) -> list[str]:
        spool = self.folder / "spool"
        return [str(path.relative_to(spool)) for path in spool.rglob("*") if path.is_file()]

    def drop(self) -> None:
        s3.file_system().rm(self.bucket, recursive=True)


def lines_of(name: str, content: bytes) -> list[Raw]:
    assert not content or content.endswith(b"\n"), f"{name} ends in the middle of a line"
    return [json.loads(line, parse_float=Decimal) for line in content.splitlines()]
