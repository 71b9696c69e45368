"""Training: run table, recipe, filter renormalisation, annealing, checkpoints, GPU lock (ZF sect. 3)."""
