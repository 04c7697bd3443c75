"""The integration's document, made from its file alone."""

from syncline.generate.document.document import document

__all__ = ["document"]
