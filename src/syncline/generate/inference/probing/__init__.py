"""Asking a live API: a handful of read-only requests, within limits, and what their answers tell."""

from syncline.generate.inference.probing.credentials import Credentials
from syncline.generate.inference.probing.probe import probe

__all__ = ["Credentials", "probe"]
