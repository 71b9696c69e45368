"""Heads solved in blocks, so that the memory of a fit is bounded and known before.

Newton's method (`zfnet.transfer.heads.newton`) holds many arrays as large as the scores and the weights of the problems it
solves side by side. It gets as many problems at once as `WORKING_BYTES` allow, those of like costs together: they take
about as many steps, and share factors (`zfnet.transfer.heads.preconditioner`). The columns of a softmax stay together.
"""

import torch
from torch import Tensor

from zfnet.transfer.heads import preconditioner
from zfnet.transfer.heads.losses import Kind, signed
from zfnet.transfer.heads.newton import Newton

WORKING_BYTES = 2 << 30  # of a block, if one problem does not take more by itself
ARRAYS = 30  # of scores and of weights: 15 at once, and what the allocator keeps between those below 32 MB


def solve(x: Tensor, targets: Tensor, costs: Tensor, kind: Kind, tolerance: float) -> tuple[Tensor, Tensor]:
    """Return the weights (d, P, K) and whether each problem is solved, bool (P, K), or (P, 1) of a softmax.

    Parameters
    ----------
    x : float (n, d)
        Features; the last column of ones, whose weight is the bias.
    targets, costs, kind, tolerance
        As for `zfnet.transfer.heads.linear.fit`.
    """
    newton = Newton(x, kind, tolerance)
    targets, costs = signed(targets, kind).to(x), costs.to(x)
    columns = targets.shape[1] if kind == "softmax" else 1  # of one problem
    targets = targets.unflatten(1, (-1, columns))
    heads = targets.shape[1]  # problems that share costs
    number = heads * costs.shape[1]
    weights = x.new_empty(x.shape[1], number, columns)
    solved = torch.empty(number, dtype=torch.bool, device=x.device)
    alike = (heads * costs.sum(0).argsort(stable=True)[:, None] + torch.arange(heads, device=x.device)).flatten()
    for block in alike.split(block_size(len(x), x.shape[1], columns, x.element_size())):
        mine = targets if heads == 1 else targets[:, block % heads]
        weights[:, block], solved[block] = newton.solve(mine, costs[:, block // heads, None])
    return weights.view(x.shape[1], costs.shape[1], -1), solved.view(costs.shape[1], heads)


def block_size(n: int, d: int, columns: int, value: int) -> int:
    """Return how many problems of so many columns are solved at once; `value`: bytes of a number."""
    return max(1, WORKING_BYTES // (value * ARRAYS * (n + d) * columns))


def solve_bytes(n: int, d: int, classes: int, problems: int, kind: Kind) -> int:
    """Return the bytes that `solve` takes beside x, targets and costs, for P problems of K classes on float32 (n, d).

    They are a copy of x in bf16, what the preconditioner holds, a block, and the weights.
    """
    columns, number = (classes, problems) if kind == "softmax" else (1, classes * problems)
    at_once = min(number, block_size(n, d, columns, 4))
    working = 4 * ARRAYS * (n + d) * columns * at_once
    return 2 * n * d + preconditioner.factor_bytes(d) + working + 4 * d * classes * problems
