"""Chains ready to run, and the assembly they share."""
