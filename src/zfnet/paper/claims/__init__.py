"""The claims of both papers, each with its verdict."""
