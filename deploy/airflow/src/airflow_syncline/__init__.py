"""Syncline's integrations as tasks of Apache Airflow."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """What Airflow asks a provider for: its name, and the type of connection it brings."""
    return {
        "package-name": "airflow-provider-syncline",
        "name": "Syncline",
        "description": "System-to-system API integrations from one file.",
        "connection-types": [
            {"connection-type": "syncline", "hook-class-name": "airflow_syncline.hook.SynclineHook"},
        ],
    }
