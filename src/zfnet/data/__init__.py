"""Official archives to shards, and shards to batches."""
