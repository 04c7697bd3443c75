"""Rules: from what a source says to guesses. Pure; every guess carries what it was seen by."""
