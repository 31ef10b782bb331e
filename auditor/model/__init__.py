"""Frozen values and nothing else: no rule, no I/O, no clock."""
