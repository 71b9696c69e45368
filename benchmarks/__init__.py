"""Benchmarks: ours beside what one would use otherwise, both timed in the same run (`make bench`)."""
