"""Errors of trained nets: ten crops, top-k, ensembles, submissions (Tables 2 and 3)."""
