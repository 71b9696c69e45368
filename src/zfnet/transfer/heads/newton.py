"""Newton's method for linear heads: many convex problems side by side, as columns of the same matrix products.

A step solves H d = -g by conjugate gradients (CG), preconditioned as `zfnet.transfer.heads.preconditioner` says, and is halved
until the objective falls. A problem leaves the products as soon as it is solved, and a step's CG as soon as that is
exact enough: most of the time of the plain method goes into columns that wait for the slowest one.
"""

import torch
from torch import Tensor

from zfnet.transfer.heads.losses import CURVATURES, LOSSES, Kind
from zfnet.transfer.heads.preconditioner import Preconditioner

STEPS = 100  # of Newton at most; 5 to 15 are usual
TURNS = 250  # of conjugate gradients within a step
SEARCHES = 3  # Newton steps along a direction: they cost no matrix product, and save steps that do
STRETCH = (0.1, 10.0)  # of a step
ROUNDING = 1e-6  # of an objective in float32: a smaller part of it cannot be seen
CROWDED = 0.9  # share of the columns still in use, below which the others are taken out of the products


class Newton:
    """Solver of problems over the same samples, P at a time.

    A softmax couples the K columns of a problem. The columns of one-vs-rest heads are problems of their own: K is 1
    here, and P counts them all. Vectors are (d, P, K), scores (n, P, K), inner products and step lengths (P, 1).

    Parameters
    ----------
    x : float (n, d)
        Features; the last column of ones, whose weight is the bias.
    kind, tolerance
        As for `zfnet.transfer.heads.linear.fit`.
    """

    def __init__(self, x: Tensor, kind: Kind, tolerance: float):
        self.x, self.tolerance = x, tolerance
        self.rough = x.bfloat16() if x.dtype == torch.float32 and fast_in_bf16(x.device) else x
        self.loss, self.curvature, self.joint = LOSSES[kind], CURVATURES[kind], kind == "softmax"
        self.penalty = x.new_ones(x.shape[1], 1, 1)
        self.penalty[-1] = float(kind == "svm")
        self.preconditioner = Preconditioner(x, self.penalty)

    def solve(self, targets: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        """Solve some problems.

        Parameters
        ----------
        targets : (n, P, K) as the loss wants them, or (n, 1, K) the same for all problems
        costs : (n, P, 1)

        Returns
        -------
        Tensor, Tensor
            The weights (d, P, K), and whether each problem is solved, bool (P,), as `_met` says. It is not where the
            steps ran out before, or where no step lowered the objective though much was promised.
        """
        self.targets, self.costs = targets, costs
        solution = self.x.new_zeros(self.x.shape[1], costs.shape[1], targets.shape[2])
        solved = torch.zeros(costs.shape[1], dtype=torch.bool, device=costs.device)
        w, scores = solution.clone(), self.x.new_zeros(len(self.x), *solution.shape[1:])
        left = torch.arange(w.shape[1], device=w.device)  # problems still being solved
        start = None  # |g|² and the objective at w = 0, (2, P, 1)
        for _ in range(STEPS):
            gradient, loss, second = self._look(w, scores)
            size, objective = _dot(gradient, gradient), _dot(self.penalty * w, w) / 2 + loss
            start = torch.stack([size, objective]) if start is None else start
            share = (size / start[0].clamp_min(1e-30)).sqrt()
            direction, exact = self._direction(gradient, second, share)
            change = _product(self.x, direction)
            step = self._step(w, direction, gradient, scores, change, loss)
            promise = -_dot(gradient, direction) / 2
            met = exact & self._met(promise, objective, start[1], step, scores, change)
            w, scores = w + step * direction, scores + step * change
            solution[:, left], solved[left] = w, met[:, 0]
            going = ((step > 0) & ~met)[:, 0]
            if not going.any():
                break
            if not going.all():
                left, start, w, scores = left[going], start[:, going], w[:, going], scores[:, going]
                self.costs = self.costs[:, going]
                self.targets = self.targets if self.targets.shape[1] == 1 else self.targets[:, going]
        return solution, solved

    def _look(self, w: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradient (d, P, K), the weighed loss (P, 1) and `Loss.second` (n, P, K)."""
        loss = self.loss(scores, self.targets)
        gradient = self.penalty * w + self._pull(self.costs * loss.slope, self.x)
        return gradient, _sum(self.costs * loss.value), loss.second

    def _met(self, promise: Tensor, objective: Tensor, first: Tensor, step: Tensor, scores: Tensor, change: Tensor):
        """Tell where the last step was small: what is left then is a small part of it.

        It promised to lower the objective by at most `tolerance` of it, and moved the scores by at most the root of
        that of their spread over the samples: at a small C predictions differ where objectives hardly do. It was whole,
        or rounding hides the rest. Or it promised nothing to speak of beside the objective at w = 0, which is so where
        a class has no samples and its free bias has no optimum.
        """
        if self.joint:  # one number more in all scores of a sample changes nothing
            change = change - change.mean(2, keepdim=True)
        spread = scores - scores.mean(0)
        settled = _dot(change, change) <= self.tolerance * _dot(spread, spread)
        little = settled & (promise <= self.tolerance * objective)
        whole = (step > 0.5) | (step == 0) | (promise <= ROUNDING * objective)
        return (little & whole) | (promise <= ROUNDING * self.tolerance * first)

    def _direction(self, gradient: Tensor, second: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Solve H d = -g by conjugate gradients, the more exactly the nearer the end.

        Return d, and whether it is as exact as wanted, bool (P, 1). Products in bf16 are good enough here: the outer
        steps, whose gradients are exact, make up for their rounding.
        """
        direction = torch.zeros_like(gradient)
        costs, residual = self.costs, -gradient
        levels = self.preconditioner.levels((costs * self.curvature.alone(second)).mean(0))  # (P, K)
        search = self.preconditioner.solve(residual, levels)
        norm = _dot(residual, search)
        goal = norm * share.sqrt().clamp(max=0.1)
        left = torch.arange(len(norm), device=norm.device)
        exact = norm <= goal  # where there is nothing to solve
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
            exact[left] |= (norm <= goal) & (curvature > 0)
            search = step + (norm / before.clamp_min(1e-30)) * search
        return direction, exact

    def _step(self, w: Tensor, direction: Tensor, gradient: Tensor, scores: Tensor, change: Tensor, now: Tensor):
        """Go to the least value along the line; halve the way until the objective falls by a share of its promise."""
        linear, square = _dot(self.penalty * w, direction), _dot(self.penalty * direction, direction)
        promise = _dot(gradient, direction)
        slack = ROUNDING * (now + _dot(self.penalty * w, w) / 2)
        step = torch.ones_like(now)
        for _ in range(SEARCHES):
            slope, bend = self._along(scores + step * change, change)
            slope, bend = slope + linear + step * square, bend + square
            step = (step - slope / bend.clamp_min(1e-30)).clamp(*STRETCH)
        for _ in range(20):
            trial = _sum(self.costs * self.loss(scores + step * change, self.targets).value)
            gain = trial - now + step * linear + step.square() * square / 2
            bad = gain > 1e-4 * step * promise + slack
            if not bad.any():
                return step
            step = torch.where(bad, step / 2, step)
        return torch.where(bad, 0, step)

    def _along(self, scores: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first and second derivative of the weighed loss along a change of the scores, (P, 1)."""
        loss = self.loss(scores, self.targets)
        bend = _sum(self.costs * change * self.curvature.times(loss.second, change))
        return _sum(self.costs * loss.slope * change), bend

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
