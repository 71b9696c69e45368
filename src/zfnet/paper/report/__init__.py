"""The report: everything of one results folder on one page."""
