"""Keeping integrations running, and seen: schedule, reports, alerts, metrics, dashboard."""
