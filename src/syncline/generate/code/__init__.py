"""An integration as a small Python package that its owners read and change."""

from syncline.generate.code.package import package_files

__all__ = ["package_files"]
