"""Files of JSON lines, CSV or Parquet: local folders and object stores."""

from syncline.destinations.file.part import File

__all__ = ["File"]
