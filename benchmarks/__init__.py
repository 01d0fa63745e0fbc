"""Measurements of a running pipeline, as `crossfade bench` makes them."""
