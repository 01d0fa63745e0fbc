"""Beginnings of one's own code, for `crossfade new`: `$name`, `$Name` and `$title` are put in."""
