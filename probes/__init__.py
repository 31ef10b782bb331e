"""Carrying out a plan: what runs in probe pods, where they may stand, and how their words are read."""
