"""`python -m zfnet` is the command line, as torchrun calls it."""

from zfnet.cli import main

main()
