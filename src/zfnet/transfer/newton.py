"""Newton's method for linear heads: many convex problems side by side, as columns of the same matrix products.

A step solves H d = -g by conjugate gradients (CG), preconditioned as `zfnet.transfer.precondition` says, and is halved
until the objective falls. A problem leaves the products as soon as it is solved, and a step's CG as soon as that is
exact enough: most of the time of the plain method goes into columns that wait for the slowest one.
"""

import torch
from torch import Tensor

from zfnet.transfer.losses import CURVATURES, LOSSES, Kind, signed
from zfnet.transfer.precondition import Preconditioner

STEPS = 100  # of Newton at most; 5 to 15 are usual
TURNS = 250  # of conjugate gradients within a step
SEARCHES = 3  # Newton steps along a direction: they cost no matrix product, and save steps that do
STRETCH = (0.1, 10.0)  # of a step
CROWDED = 0.9  # share of the columns still in use, below which the others are taken out of the products


class Newton:
    """Solver of P problems over the same samples.

    A softmax couples the K columns of a problem. The columns of one-vs-rest heads are problems of their own: K is 1
    here, and P counts them all. Vectors are (d, P, K), scores (n, P, K), inner products and step lengths (P, 1).

    Parameters
    ----------
    x : float (n, d)
        Features; the last column of ones, whose weight is the bias.
    targets, costs, kind, tolerance
        As for `zfnet.transfer.heads.fit`.
    """

    def __init__(self, x: Tensor, targets: Tensor, costs: Tensor, kind: Kind, tolerance: float):
        self.x, self.tolerance = x, tolerance
        self.rough = x.bfloat16() if x.dtype == torch.float32 and fast_in_bf16(x.device) else x
        self.loss, self.curvature, self.joint = LOSSES[kind], CURVATURES[kind], kind == "softmax"
        self.shape = (x.shape[1], costs.shape[1], targets.shape[1])  # of the solution
        targets, costs = signed(targets, kind).to(x), costs.to(x)
        self.targets = targets[:, None] if self.joint else targets.repeat(1, self.shape[1])[:, :, None]
        self.costs = (costs if self.joint else costs.repeat_interleave(self.shape[2], 1))[:, :, None]
        self.penalty = x.new_ones(x.shape[1], 1, 1)
        self.penalty[-1] = float(kind == "svm")
        self.preconditioner = Preconditioner(x, self.penalty)

    def solve(self) -> Tensor:
        """Return the weights, (d, P, K)."""
        solution = self.x.new_zeros(self.x.shape[1], self.costs.shape[1], self.targets.shape[2])
        w, scores = solution.clone(), self.x.new_zeros(len(self.x), *solution.shape[1:])
        left = torch.arange(w.shape[1], device=w.device)  # problems still being solved
        start = None
        for _ in range(STEPS):
            loss = self.loss(scores, self.targets)
            gradient = self.penalty * w + self._pull(self.costs * loss.slope, self.x)
            start = _dot(gradient, gradient) if start is None else start
            objective = _dot(self.penalty * w, w) / 2 + _sum(self.costs * loss.value)
            share = self._unsolved(gradient, objective, start)
            direction = self._direction(gradient, loss.second, share)
            change = _product(self.x, direction)
            step = self._step(w, direction, gradient, scores, change, loss.value) * (share > 0)
            w, scores = w + step * direction, scores + step * change
            solution[:, left] = w
            near = -_dot(gradient, direction) / 2 <= self.tolerance * objective
            going = ((step > 0) & ~(near & (step > 0.5)))[:, 0]
            if not going.any():
                break
            if not going.all():
                left, start, w, scores = left[going], start[going], w[:, going], scores[:, going]
                self.costs = self.costs[:, going]
                self.targets = self.targets if self.joint else self.targets[:, going]
        return solution.reshape(self.shape)

    def _unsolved(self, gradient: Tensor, objective: Tensor, start: Tensor) -> Tensor:
        """Return |g| / |g at w = 0|, and 0 where a problem is solved."""
        size = _dot(gradient, gradient)
        far = size / 2 > self.tolerance * objective
        share = (size / start.clamp_min(1e-30)).sqrt()
        return share * (far | (share > self.tolerance**0.5))

    def _direction(self, gradient: Tensor, second: Tensor, share: Tensor) -> Tensor:
        """Solve H d = -g by conjugate gradients, the more exactly the nearer the end; return d.

        Products in bf16 are good enough here: the outer steps, whose gradients are exact, make up for their rounding.
        """
        direction = torch.zeros_like(gradient)
        costs, residual = self.costs, -gradient
        levels = self.preconditioner.levels((costs * self.curvature.alone(second)).mean(0))  # (P, K)
        search = self.preconditioner.solve(residual, levels)
        norm = _dot(residual, search)
        goal = torch.where(share > 0, norm * share.sqrt().clamp(max=0.1), torch.inf)
        left = torch.arange(len(norm), device=norm.device)
        for _ in range(TURNS):
            going = (norm > goal)[:, 0]
            if not going.any():
                break
            if going.float().mean() < CROWDED:
                left, norm, goal = left[going], norm[going], goal[going]
                vectors = (residual, search, costs, second)
                residual, search, costs, second = (vector[:, going] for vector in vectors)
                levels = levels[going]
            moved = costs * self.curvature.times(second, _product(self.rough, search))
            curved = self.penalty * search + self._pull(moved, self.rough)
            curvature = _dot(search, curved)
            length = (norm > goal) * norm / curvature.where(curvature > 0, torch.inf)
            direction[:, left] += length * search
            residual = residual - length * curved
            step = self.preconditioner.solve(residual, levels)
            norm, before = _dot(residual, step).where(curvature > 0, 0), norm
            search = step + (norm / before.clamp_min(1e-30)) * search
        return direction

    def _step(self, w: Tensor, direction: Tensor, gradient: Tensor, scores: Tensor, change: Tensor, value: Tensor):
        """Go to the least value along the line; halve the way until the objective falls by a share of its promise."""
        linear, square = _dot(self.penalty * w, direction), _dot(self.penalty * direction, direction)
        promise, now = _dot(gradient, direction), _sum(self.costs * value)
        slack = 1e-6 * (now + _dot(self.penalty * w, w) / 2)  # what rounding may hide
        step = torch.ones_like(now)
        for _ in range(SEARCHES):
            there = self.loss(scores + step * change, self.targets)
            slope = linear + step * square + _sum(self.costs * there.slope * change)
            bend = square + _sum(self.costs * change * self.curvature.times(there.second, change))
            step = (step - slope / bend.clamp_min(1e-30)).clamp(*STRETCH)
        for _ in range(20):
            trial = _sum(self.costs * self.loss(scores + step * change, self.targets).value)
            gain = trial - now + step * linear + step.square() * square / 2
            bad = gain > 1e-4 * step * promise + slack
            if not bad.any():
                return step
            step = torch.where(bad, step / 2, step)
        return torch.where(bad, 0, step)

    def _pull(self, slopes: Tensor, x: Tensor) -> Tensor:
        """Take slopes by the scores (n, P, K) to slopes by the weights (d, P, K)."""
        pulled = _product(x.T, slopes)
        if self.joint:  # adding one number to all biases changes nothing: keep rounding from growing along it
            pulled[-1] -= pulled[-1].mean(-1, keepdim=True)
        return pulled


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return _sum(a * b)


def _sum(products: Tensor) -> Tensor:
    return products.sum((0, 2))[:, None]


def _product(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Multiply (a, b) with all columns of (b, P, K) at once, in the matrix's precision."""
    return (matrix @ vectors.flatten(1).to(matrix)).to(vectors).unflatten(1, vectors.shape[1:])


def fast_in_bf16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bf16; without them such products are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
