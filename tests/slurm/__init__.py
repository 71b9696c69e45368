"""Trainings on a real Slurm."""
