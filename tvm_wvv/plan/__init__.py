"""Decisions under budgets: memory packing and the choice of algorithms."""
