"""Object stores and other file systems behind fsspec."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from syncline.destinations.file.spool import ENDING
from syncline.destinations.file.troubles import reaching
from syncline.errors import PlanError, WriteError
from syncline.events import Noticed, emit

WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "obs", "cos", "r2", "memory"})
"""Stores in which an object is seen when it is complete, and not before, and in which a copy is one request."""
PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs",
            "sftp": "paramiko", "ssh": "paramiko", "hdfs": "pyarrow", "oss": "ossfs", "smb": "smbprotocol"}  # fmt: skip
_SHOWN = re.compile(r"[^/@]*@")


def scheme_of(path: str) -> str | None:
    """The scheme of a path that is a URL; None for one of this machine. Raises PlanError for chains of them."""
    scheme, found, _ = path.partition("://")
    if not found:
        return None
    if "::" in scheme:
        raise PlanError(
            "a path that chains several file systems cannot be written safely", hint="write scheme://bucket/folder"
        )
    return None if scheme in ("file", "local") else scheme


def shown_url(url: str) -> str:
    """The address without user information and query."""
    scheme, _, rest = re.split(r"[?#]", url, maxsplit=1)[0].partition("://")
    return f"{scheme}://{_SHOWN.sub('', rest, count=1)}"


class RemoteStore:
    """A folder of a store. Its library blocks and has connections of its own."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        """Raises PlanError for a missing package, WriteError where the store cannot be reached."""
        self.shown = shown_url(url)
        scheme = url.partition("://")[0]
        try:
            fsspec = importlib.import_module("fsspec.core")  # an optional extra
        except ImportError:
            raise PlanError(f"files at {self.shown} need fsspec", hint="pip install 'syncline[files]'") from None
        try:
            with reaching(self.shown):
                # not from fsspec's own memory: that would keep credentials, and give away listings that are old
                self._fs, root = fsspec.url_to_fs(url, skip_instance_cache=True, **options)
        except WriteError as error:
            package = PACKAGES.get(scheme)
            if package and importlib.util.find_spec(package.partition(".")[0]) is None:
                raise PlanError(f"files at {self.shown} need {package}", hint=f"pip install {package}") from None
            raise PlanError(
                f"files cannot be written to {self.shown}", hint=error.hint, evidence=error.evidence
            ) from None
        self._root = root.rstrip("/")
        self._whole = scheme in WHOLE

    def stage(self, file: Path, name: str) -> None:
        place = self._place(name)
        with reaching(f"{self.shown}/{name}"):
            self._make_folder(place)
            self._fs.put_file(str(file), place)
            found = self._fs.info(place)["size"]
        size = file.stat().st_size
        if found != size:
            raise WriteError(
                f"{self.shown}/{name} has {found} bytes after it was written, not {size}",
                hint="run again; if it comes again, look into the store",
            )

    def move(self, name: str, final: str, *, over: bool) -> bool:
        source, target = self._place(name), self._place(final)
        with reaching(f"{self.shown}/{final}"):
            if not self._fs.exists(source):
                return False
            if self._whole:
                self._fs.cp_file(source, target)
            else:
                self._rename(source, target)
        if self._whole:
            self.remove([name])
        return True

    def exists(self, name: str) -> bool:
        with reaching(f"{self.shown}/{name}"):
            self._forget()
            return bool(self._fs.exists(self._place(name)))

    def read(self, name: str) -> bytes | None:
        with reaching(f"{self.shown}/{name}"):
            try:
                return bytes(self._fs.cat_file(self._place(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        place = self._place(name)
        with reaching(f"{self.shown}/{name}"):
            if self._whole:
                self._fs.pipe_file(place, data)
                return
            near = f"{place}{ENDING}"
            self._make_folder(near)
            self._fs.pipe_file(near, data)
            self._rename(near, place)

    def remove(self, names: Sequence[str]) -> None:
        """A store that does not let us is told about, not failed for: what remains is seen by nobody, or is old."""
        for name in names:
            try:
                with reaching(f"{self.shown}/{name}"):
                    if self._fs.exists(self._place(name)):
                        self._fs.rm_file(self._place(name))
            except WriteError as error:
                emit(Noticed(what=f"{self.shown}/{name} could not be removed ({error.evidence})", hint=error.hint))
                return

    def names(self, folder: str) -> list[str]:
        with reaching(f"{self.shown}/{folder}"):
            self._forget()
            try:
                found = self._fs.find(self._place(folder))
            except FileNotFoundError:
                if self._whole:  # there are no folders in it: it is the bucket that is missing
                    raise
                return []
        prefix = f"{self._root}/"
        return sorted(str(path).removeprefix(prefix) for path in found)

    def _rename(self, source: str, target: str) -> None:
        self._make_folder(target)
        try:
            self._fs.mv(source, target)
        except OSError:
            if not self._fs.exists(target):
                raise
            self._fs.rm_file(target)  # it does not rename over what is there
            self._fs.mv(source, target)

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}" if self._root else name

    def _make_folder(self, place: str) -> None:
        if not self._whole:  # on an object store this might make a bucket
            self._fs.makedirs(place.rpartition("/")[0], exist_ok=True)

    def _forget(self) -> None:
        self._fs.invalidate_cache()
