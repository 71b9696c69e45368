"""Tables 1 to 7, ours beside the published numbers."""
