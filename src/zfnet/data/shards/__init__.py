"""WebDataset shards: writing, indexing and describing them."""
