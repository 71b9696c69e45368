"""Drawings of single objects, in about -1..1."""
