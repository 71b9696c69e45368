"""Training: run table, recipe, filter renormalisation, annealing, checkpoints, GPU lease (ZF sect. 3)."""
