"""Errors of trained nets: ten crops, top-k errors, ensembles, submissions (Tables 2 and 3)."""
