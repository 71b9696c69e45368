"""The sub-commands of `zfnet`: a stage of the workflow each, and those for one's own nets and pictures.

Every command imports its own stage, and only when it is called: most jobs of a small run cost less than importing
everything.
"""
