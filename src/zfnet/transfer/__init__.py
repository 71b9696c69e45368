"""Frozen features on other data sets: folds, linear heads, PASCAL, near-duplicates (ZF sect. 5.2, 5.3)."""
