"""Campaigns against the workflow as a whole: it is killed at random moments, and must end with the same results."""
