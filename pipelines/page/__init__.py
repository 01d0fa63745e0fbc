"""The page to talk from, as browsers load it."""
