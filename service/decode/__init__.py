"""Steps 2 and 3: what the bytes of a record mean, and who sends them."""
