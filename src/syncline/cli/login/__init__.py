"""Logging in: the page and the address where a browser comes back, and the two ways to a person's consent."""
