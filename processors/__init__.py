"""The nodes of the chain."""
