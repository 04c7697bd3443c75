"""A pasted curl command: an address, parameters, and what kind of credentials."""

from __future__ import annotations

import re
import shlex
from urllib.parse import parse_qsl, urlsplit

from syncline.errors import UsageError
from syncline.generate.inference.known import Known, Scheme
from syncline.generate.inference.traffic.exchanges import Exchange, known_of, schemes_of

_WITH_VALUE = {
    "-H": "header", "--header": "header", "-X": "method", "--request": "method", "-u": "user", "--user": "user", "--url": "url",
    "-d": "data", "--data": "data", "--data-raw": "data", "--data-binary": "data", "--data-urlencode": "data", "--json": "data",
    "-b": "cookie", "--cookie": "cookie", "--oauth2-bearer": "bearer", "-A": "", "--user-agent": "", "-o": "", "--output": "",
    "-e": "", "--referer": "", "-x": "", "--proxy": "", "-m": "", "--max-time": "", "--connect-timeout": "", "--cacert": "",
    "--cert": "", "-E": "", "--key": "", "--retry": "", "-F": "data", "--form": "data", "-w": "", "--write-out": "",
    "--aws-sigv4": "sigv4", "-T": "", "--resolve": "", "--limit-rate": "", "-c": "", "--cookie-jar": "",
}  # fmt: skip
_FLAGS_SHORT = re.compile(r"-([A-Za-z])(.+)")


def is_curl(text: str) -> bool:
    return text.lstrip().startswith("curl ")


def read_curl(text: str, source: str) -> Known:
    """What a curl command says. Its credentials are seen and not kept (S9). Raises UsageError for one without an address."""
    try:
        words = shlex.split(text.replace("\\\r\n", " ").replace("\\\n", " ").strip())[1:]
    except ValueError as error:
        raise UsageError(f"the curl command cannot be read: {error}", hint="paste it whole, with its quotes") from None
    given: dict[str, list[str]] = {}
    address, digest, as_query = "", "--digest" in words, bool({"-G", "--get"} & set(words))
    place = 0
    while place < len(words):
        word = words[place]
        name, value, place = _option(words, place)
        if name is not None and name != "flag":
            given.setdefault(name, []).append(value)
        elif name is None and "." in word + "." and not word.startswith("-"):
            address = address or word
    address = (given.get("url") or [address])[0]
    if not address:
        raise UsageError("the curl command has no address", hint="paste it whole")
    address = address if "://" in address else f"https://{address}"
    if as_query and given.get("data"):
        address += ("&" if "?" in address else "?") + "&".join(given["data"])
    method = (given.get("method") or ["POST" if given.get("data") and not as_query else "GET"])[0].upper()
    headers = [tuple(map(str.strip, header.partition(":")[::2])) for header in given.get("header", [])]
    schemes = list(schemes_of([(name, value) for name, value in headers], parse_qsl(urlsplit(address).query)))
    if "user" in given:
        schemes.append(Scheme(name="--digest" if digest else "--user", kind="digest" if digest else "basic"))
    if "bearer" in given:
        schemes.append(Scheme(name="--oauth2-bearer", kind="bearer"))
    return known_of([Exchange(method=method, url=address, schemes=tuple(schemes))], title="", source=source)


def _option(words: list[str], place: int) -> tuple[str | None, str, int]:
    """The option at this place, its value, and where the next word is; None for a word that is no option."""
    word = words[place]
    if not word.startswith("-"):
        return None, word, place + 1
    name, sign, inline = word.partition("=")
    if word in _WITH_VALUE:
        return _WITH_VALUE[word], words[place + 1] if place + 1 < len(words) else "", place + 2
    if sign and name in _WITH_VALUE:
        return _WITH_VALUE[name], inline, place + 1
    short = _FLAGS_SHORT.fullmatch(word)
    if short and f"-{short[1]}" in _WITH_VALUE and not word.startswith("--"):
        return _WITH_VALUE[f"-{short[1]}"], short[2], place + 1
    return "flag", "", place + 1
