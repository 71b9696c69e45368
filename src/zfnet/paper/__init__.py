"""The tables, figures and claims of the paper, and the report that holds them."""
