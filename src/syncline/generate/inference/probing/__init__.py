"""Asking a live API: a handful of read-only requests, within limits, and what their answers tell."""

from syncline.generate.inference.probing.probe import Credentials, probe

__all__ = ["Credentials", "probe"]
