"""What the doctor looks at: each check gives one finding, and says what to do where something is not well."""

from syncline.cli.doctor.finding import CHECKS, Finding, Level

__all__ = ["CHECKS", "Finding", "Level"]
