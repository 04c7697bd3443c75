"""The standard transforms; each module makes its own known when it is imported, at the latest when a name is not known yet.

Each is declared once. Its docstring is its reference: the first sentence, then examples `value | chain → result`, which
the tests run.
"""
