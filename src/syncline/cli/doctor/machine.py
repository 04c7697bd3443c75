"""The machine: what is the same for every integration."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from zoneinfo import ZoneInfo

from syncline.cli.doctor.finding import Finding, broken, ok, warned

LOWEST = (3, 11)
PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy")
_NEED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[.*?\])?\s*(?P<bounds>[^;]*)(?:;\s*(?P<marker>.*))?")
_EXTRA = re.compile(r"extra == ['\"]([^'\"]+)['\"]")

Installed = Callable[[str], str | None]


def installed(name: str) -> str | None:
    """The version of a package, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def python(found: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    shown = ".".join(map(str, found))
    if found[:2] < LOWEST:
        return broken(
            "python", f"Python {shown} is too old", "install Python 3.11 or later and make the environment anew"
        )
    return ok("python", f"Python {shown}, {sys.platform}")


def libraries(needs: Iterable[str] | None = None, of: Installed = installed) -> Finding:
    """The packages that Syncline itself stands on, against the bounds it was released with."""
    wrong, shown = [], []
    for need in requires("syncline") or [] if needs is None else needs:
        match = _NEED.fullmatch(need)
        if match is None or match["marker"]:
            continue
        found = of(match["name"])
        shown.append(f"{match['name']} {found}")
        if found is None or not _within(found, match["bounds"]):
            wrong.append(
                (f"{match['name']} {found or 'is not installed'}", f"{match['name']}{match['bounds'].strip()}")
            )
    if wrong:
        fix = " ".join(f"'{bounds}'" for _, bounds in wrong)
        what = ", ".join(what for what, _ in wrong)
        return broken("libraries", f"does not fit: {what}", f"pip install {fix}")
    return ok("libraries", ", ".join(shown))


def extras(needs: Iterable[str] | None = None, of: Installed = installed) -> Finding:
    """Optional packages: what is there, and which are too old."""
    there: list[str] = []
    absent: list[str] = []
    old: list[tuple[str, str]] = []
    for need in requires("syncline") or [] if needs is None else needs:
        match = _NEED.fullmatch(need)
        extra = _EXTRA.search(match["marker"] or "") if match else None
        if match is None or extra is None:
            continue
        found = of(match["name"])
        if found is None:
            absent.append(extra[1])
        elif not _within(found, match["bounds"]):
            old.append((f"{match['name']} {found}", extra[1]))
        else:
            there.append(f"{extra[1]} ({match['name']} {found})")
    if old:
        what = ", ".join(what for what, _ in old)
        names = ",".join(dict.fromkeys(extra for _, extra in old))
        return warned("extras", f"too old: {what}", f"pip install --upgrade 'syncline[{names}]'")
    missing = f"; not installed: {', '.join(dict.fromkeys(absent))}" if absent else ""
    return ok("extras", f"{', '.join(there) or 'none'}{missing}")


def time_zones(zone: Callable[[str], object] = ZoneInfo) -> Finding:
    try:
        zone("Europe/Paris")
    except Exception as error:  # a broken database raises what it likes
        what = f"no time zone data ({type(error).__name__}): schedules and transforms with a zone fail"
        return broken("time zones", what, "pip install tzdata")
    return ok("time zones", "time zone data is there")


def proxies(environment: Mapping[str, str], *, used: bool = False) -> Finding:
    """Proxy variables are seen; only a file that says so uses them. Their values may hold a password and are not shown."""
    names = sorted(name for name, value in environment.items() if name.lower() in PROXY_NAMES and value)
    if not names:
        return ok("proxies", "no proxy variables are set")
    if used:
        return ok("proxies", f"{', '.join(names)}: used, as the file says")
    fix = "if the API is behind it, write proxy: environment into the file's source; else nothing"
    return warned("proxies", f"{', '.join(names)} set, and ignored", fix)


def _within(found: str, bounds: str) -> bool:
    for bound in filter(None, (part.strip() for part in bounds.split(","))):
        match = re.fullmatch(r"(>=|<=|<|>|==|!=|~=)\s*([0-9][0-9.]*).*", bound)
        if match is None:
            continue
        have, want = _numbers(found), _numbers(match[2])
        have += (0,) * (len(want) - len(have))
        right = {">=": have >= want, ">": have > want, "<": have < want, "<=": have <= want, "~=": have >= want}
        if not right.get(match[1], True):
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def all_checks(environment: Mapping[str, str], *, proxies_used: bool) -> list[Finding]:
    return [python(), libraries(), extras(), time_zones(), proxies(environment, used=proxies_used)]
