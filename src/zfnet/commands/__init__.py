"""The sub-commands of `zfnet`: one for each stage of the workflow, and those for one's own nets and images.

A command imports its stage when it is called, not before: most jobs of a small run cost less than importing everything.
"""
