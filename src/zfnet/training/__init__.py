"""Training: run table, recipe, filter renormalisation, annealing, checkpoints, GPU lease (PAPER.md 4)."""
