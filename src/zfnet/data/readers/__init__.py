"""One reader for each official archive."""
