"""The page that a browser shows at the end of a log-in. One file, no script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Literal

Outcome = Literal["good", "bad", "odd"]

STYLE = """\
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#5b6878;--line:#e3e7ec;--good:#15803d;\
--bad:#b42318;--odd:#a15c07;--tint:#e9f6ee}
@media(prefers-color-scheme:dark){:root{--paper:#0e1319;--card:#171e27;--ink:#e8edf3;--soft:#97a5b5;--line:#273140;\
--good:#4ade80;--bad:#fb8a80;--odd:#f5b95c;--tint:#16291f}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--paper);color:var(--ink);\
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{width:100%;max-width:460px;background:var(--card);border:1px solid var(--line);border-radius:16px;padding:40px 36px 28px;\
box-shadow:0 1px 2px rgb(0 0 0/.04),0 12px 32px rgb(0 0 0/.06)}
svg{display:block;width:52px;height:52px;margin-bottom:22px}
svg circle{fill:none;stroke:currentColor;stroke-width:2;opacity:.28}
svg path{fill:none;stroke:currentColor;stroke-width:3;stroke-linecap:round;stroke-linejoin:round}
.good svg{color:var(--good)}.bad svg{color:var(--bad)}.odd svg{color:var(--odd)}
h1{font-size:23px;line-height:1.3;font-weight:650;letter-spacing:-.01em;margin-bottom:8px;text-wrap:balance}
p{color:var(--soft);overflow-wrap:anywhere}
dl{margin-top:22px;padding-top:18px;border-top:1px solid var(--line);display:grid;grid-template-columns:auto 1fr;gap:6px 18px;\
font-size:14px}
dt{color:var(--soft)}
dd{overflow-wrap:anywhere}
footer{margin-top:28px;font-size:13px;color:var(--soft)}
"""
MARKS = {"good": "M15 27l7.5 7.5L38 18", "bad": "M18 18l16 16M34 18L18 34", "odd": "M26 15v15M26 37v.01"}
CONTENT_POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # the address of this page holds the code
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Connection": "close",
    "Server": "Syncline",
}


def page(outcome: Outcome, title: str, text: str, facts: dict[str, str] | None = None) -> str:
    """The whole page; everything in it is text of ours or a stranger's, and escaped."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in (facts or {}).items() if value)
    known = f"<dl>{rows}</dl>" if rows else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)} · Syncline</title><style>{STYLE}</style></head>"
        f'<body><main class="{outcome}"><svg viewBox="0 0 52 52" aria-hidden="true"><circle cx="26" cy="26" r="24"/>'
        f'<path d="{MARKS[outcome]}"/></svg><h1>{escape(title)}</h1><p>{escape(text)}</p>{known}'
        "<footer>Syncline, on this machine</footer></main></body></html>"
    )
