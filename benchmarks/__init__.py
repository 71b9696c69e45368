"""Benchmarks: our code against the usual alternative, both timed in the same run (`make bench`)."""
