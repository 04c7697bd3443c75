"""Databases: tables that are made, grown and written, with the checkpoint in the same transaction."""

from syncline.destinations.sql.part import DuckDb, Sql

__all__ = ["DuckDb", "Sql"]
