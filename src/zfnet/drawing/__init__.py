"""What every sheet and figure is drawn with: pages and mosaics."""
