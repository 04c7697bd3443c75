"""A server that says what it is told to."""

from tests.cli.conftest import answering

__all__ = ["answering"]
