"""Every table and figure of Zeiler & Fergus (2013), from the official archives.

Data flows one way: data -> nets -> training -> evaluation -> {visualize, transfer} -> paper.
"""

__version__ = "0.1.0"
