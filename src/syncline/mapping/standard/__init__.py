"""The standard transforms; importing this makes them known.

Each is declared once. Its docstring is its reference: the first sentence, then examples `value | chain → result`, which
the tests run.
"""

from syncline.mapping.standard import lists, numbers, texts, times, values

__all__ = ["lists", "numbers", "texts", "times", "values"]
