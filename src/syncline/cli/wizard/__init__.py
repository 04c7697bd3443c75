"""Six questions on a terminal, and what came of them."""
