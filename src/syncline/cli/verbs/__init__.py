"""One module a verb, imported when it is run: `main(arguments) -> int`."""
