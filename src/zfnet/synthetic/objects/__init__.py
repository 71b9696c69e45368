"""Drawings of single objects, in coordinates of about -1..1."""
