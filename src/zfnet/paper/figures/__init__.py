"""Figures 2 to 9 in the layout of the paper, and two that the paper lacks."""
