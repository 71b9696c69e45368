"""Readers of the official archives, one module each."""
