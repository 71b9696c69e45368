"""Training of the nets: run table, training step, learning rate schedule, checkpoints (ZF sect. 3)."""
