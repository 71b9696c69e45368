"""`python -m tests.survival --kills 100`: the campaign whose figures are in docs/reliability.md."""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.survival.campaign import campaign
from tests.survival.small_run import MAIN_STAGES

parser = argparse.ArgumentParser(prog="python -m tests.survival", description=__doc__)
parser.add_argument("--kills", type=int, default=100)
parser.add_argument("--targets", nargs="+", default=MAIN_STAGES, help="what to make (default: the main stages)")
parser.add_argument("--seed", type=int, default=2013)
parser.add_argument("--folder", type=Path, help="where to work; kept (default: a temporary folder, removed)")
arguments = parser.parse_args()
say = partial(print, flush=True)
with tempfile.TemporaryDirectory() as temporary:
    found = campaign(arguments.folder or Path(temporary), arguments.kills, arguments.targets, arguments.seed, say)
sys.exit(bool(found.differences))
