"""Syncline's integrations as Dagster assets: one for each stream."""

from __future__ import annotations

from dagster_syncline.assets import syncline_assets

__all__ = ["syncline_assets"]
