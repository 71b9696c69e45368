"""What every room stands on: errors, files, tables, progress, provenance, seeds, devices, locks and memory."""
