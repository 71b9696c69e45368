"""Foundations of every other package: errors, files, tables, progress, provenance, seeds, devices, locks, memory."""
