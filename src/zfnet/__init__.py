"""Every table and figure of Zeiler & Fergus (2013), from the official archives.

Imports run one way:
core -> synthetic, data -> nets -> training -> evaluation -> {visualize, transfer} -> paper, explore -> commands.
"""

__version__ = "0.1.0"
