"""Words that several verbs take, and what may be written for a number or a time."""

from __future__ import annotations

import argparse


def file_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the integration file")


def logging_words(parser: argparse.ArgumentParser, format: str = "none") -> None:
    parser.add_argument("--log-format", choices=("json", "pretty", "none"), default=format, help="log to stderr")
    levels = ("debug", "info", "warning", "error")
    parser.add_argument("--log-level", choices=levels, default="info", help="the least that is logged (default: info)")
    parser.add_argument("--otel", action="store_true", help="send traces and metrics to OTEL_EXPORTER_OTLP_ENDPOINT")


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def seconds(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and int(number) > 0 and unit in ("s", "m", "h")):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 5m or 1h")
    return float(int(number) * {"s": 1, "m": 60, "h": 3600}[unit])
