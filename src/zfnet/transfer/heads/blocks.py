"""Solve many heads in blocks of bounded memory, whose size is known before the fit starts.

Newton's method (`zfnet.transfer.heads.newton`) holds many arrays as large as the scores and the weights of all problems
it solves side by side. It therefore gets only as many problems at once as fit into `WORKING_BYTES`. Problems of similar
cost C share a block, since they take about as many iterations and the same factors of the preconditioner
(`zfnet.transfer.heads.preconditioner`). The K columns of a softmax are one problem and stay together.
"""

import torch
from torch import Tensor

from zfnet.transfer.heads import preconditioner
from zfnet.transfer.heads.head import Kind
from zfnet.transfer.heads.losses import signed
from zfnet.transfer.heads.newton import Newton

WORKING_BYTES = 2 << 30  # of a block, unless a single problem needs more
ARRAYS = 30  # of scores and of weights: 15 live at once, doubled for what the allocator keeps of those below 32 MB


def solve(x: Tensor, targets: Tensor, costs: Tensor, kind: Kind, tolerance: float) -> tuple[Tensor, Tensor]:
    """Return the weights (d, P, K), and whether each problem is solved, bool (P, K), or (P, 1) for softmax.

    Parameters
    ----------
    x : float (n, d)
        Features; the last column is 1, and its weight is the bias.
    targets, costs, kind, tolerance
        As for `zfnet.transfer.heads.linear.fit`.
    """
    newton = Newton(x, kind, tolerance)
    targets, costs = signed(targets, kind).to(x), costs.to(x)
    columns = targets.shape[1] if kind == "softmax" else 1  # of one problem
    targets = targets.unflatten(1, (-1, columns))  # (n, heads, columns)
    heads = targets.shape[1]  # problems with the same costs: the K of one-vs-rest, or 1 softmax
    problems = heads * costs.shape[1]  # problem number = heads * cost number + head number
    weights = x.new_empty(x.shape[1], problems, columns)
    solved = torch.empty(problems, dtype=torch.bool, device=x.device)
    by_cost = (heads * costs.sum(0).argsort(stable=True)[:, None] + torch.arange(heads, device=x.device)).flatten()
    for block in by_cost.split(block_size(len(x), x.shape[1], columns, x.element_size())):
        block_targets = targets if heads == 1 else targets[:, block % heads]
        weights[:, block], solved[block] = newton.solve(block_targets, costs[:, block // heads, None])
    return weights.view(x.shape[1], costs.shape[1], -1), solved.view(costs.shape[1], heads)


def block_size(n: int, d: int, columns: int, element_size: int) -> int:
    """Return how many problems of so many columns are solved at once, with numbers of `element_size` bytes."""
    return max(1, WORKING_BYTES // (element_size * ARRAYS * (n + d) * columns))


def solve_bytes(n: int, d: int, classes: int, problems: int, kind: Kind) -> int:
    """Return the bytes that `solve` needs beyond its arguments, for P problems of K classes on float32 (n, d).

    It is the sum of x in bf16, the preconditioner, one block, and the weights.
    """
    columns, total = (classes, problems) if kind == "softmax" else (1, classes * problems)
    at_once = min(total, block_size(n, d, columns, 4))
    working = 4 * ARRAYS * (n + d) * columns * at_once
    return 2 * n * d + preconditioner.factor_bytes(d) + working + 4 * d * classes * problems
