"""Pages and mosaics, the drawing tools of all figures."""
