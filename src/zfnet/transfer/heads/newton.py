"""Newton's method for linear heads: many convex problems side by side, as columns of the same matrix products.

One problem minimises, over the weights w (the bias is the last one, on a constant feature of 1),

    F(w)   = 1/2 wᵀ D w + Σ_i c_i loss(f_i)     f = X w,  D = diag(penalty): 1, and 0 for a bias that is not regularised
    g(w)   = D w + Xᵀ (c ∘ loss'(f))
    H(w) v = D v + Xᵀ (c ∘ loss''(f) (X v))     H itself, (d, d), is never formed

Each iteration

1. solves H d = -g approximately by conjugate gradients (CG), preconditioned by `zfnet.transfer.heads.preconditioner`;
2. chooses a step t along d by a line search on F(w + t d), which needs X d once and no further product with X;
3. stops the problems whose Newton decrement is small. The quadratic model of F falls by -gᵀd/2 = gᵀH⁻¹g/2 along a full
   step, which near the optimum estimates F(w) - min F (Boyd & Vandenberghe, Convex Optimization, 9.5.1).

Problems differ in difficulty. Those that are solved leave the matrix products at once, and those whose CG has converged
leave the products of that CG; otherwise most of the time would go into columns that wait for the slowest one.
"""

import torch
from torch import Tensor

from zfnet.transfer.heads.head import Kind
from zfnet.transfer.heads.losses import HESSIANS, LOSSES
from zfnet.transfer.heads.preconditioner import Preconditioner

NEWTON_ITERATIONS = 100  # at most; 5 to 15 are usual
CG_ITERATIONS = 250  # at most, within one Newton iteration
LINE_SEARCH_STEPS = 3  # one-dimensional Newton steps along a direction; they need no product with X
STEP_RANGE = (0.1, 10.0)  # of a line search
HALVINGS = 20  # of a step, at most
ARMIJO = 1e-4  # a step must achieve this fraction of the decrease that the gradient predicts
ROUNDING = 1e-6  # relative; smaller changes of an objective are lost in float32
COMPACT_BELOW = 0.9  # fraction of columns still in CG, below which the converged ones are dropped from the products


class Newton:
    """Solver of P problems at a time over the same samples.

    A softmax couples the K columns of a problem. For one-vs-rest heads every column is a problem of its own: K is 1
    here, and P counts all of them. Weights are (d, P, K), scores (n, P, K), inner products and step lengths (P, 1).

    Parameters
    ----------
    x : float (n, d)
        Features; the last column is 1, and its weight is the bias.
    kind, tolerance
        As for `zfnet.transfer.heads.linear.fit`.
    """

    def __init__(self, x: Tensor, kind: Kind, tolerance: float):
        self.x, self.tolerance = x, tolerance
        self.x_bf16 = x.bfloat16() if x.dtype == torch.float32 and fast_in_bf16(x.device) else x
        self.loss, self.hessian, self.coupled = LOSSES[kind], HESSIANS[kind], kind == "softmax"
        self.penalty = x.new_ones(x.shape[1], 1, 1)  # (d, 1, 1)
        self.penalty[-1] = float(kind == "svm")  # liblinear regularises the bias, softmax and sigmoid do not
        self.preconditioner = Preconditioner(x, self.penalty)

    def solve(self, targets: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        """Solve P problems.

        Parameters
        ----------
        targets : (n, P, K) as the loss expects them, or (n, 1, K) if all problems share them
        costs : (n, P, 1)

        Returns
        -------
        Tensor, Tensor
            The weights (d, P, K), and whether each problem is solved as `_converged` defines it, bool (P,). A problem
            is unsolved if the iterations ran out, or if no step lowered the objective although the model predicted it.
        """
        self.targets, self.costs = targets, costs
        solution = self.x.new_zeros(self.x.shape[1], costs.shape[1], targets.shape[2])  # (d, P, K)
        solved = torch.zeros(costs.shape[1], dtype=torch.bool, device=costs.device)
        w, scores = solution.clone(), self.x.new_zeros(len(self.x), *solution.shape[1:])  # (d, P, K), (n, P, K)
        active = torch.arange(w.shape[1], device=w.device)  # problems still being solved
        start = None  # |g|² and the objective at w = 0, (2, P, 1)
        for _ in range(NEWTON_ITERATIONS):
            gradient, loss, hessian_state = self._evaluate(w, scores)
            squared_norm, objective = _dot(gradient, gradient), _dot(self.penalty * w, w) / 2 + loss
            start = torch.stack([squared_norm, objective]) if start is None else start
            progress = (squared_norm / start[0].clamp_min(1e-30)).sqrt()  # |g| / |g at 0|
            direction, exact = self._newton_direction(gradient, hessian_state, progress)
            change = _product(self.x, direction)  # X d, (n, P, K)
            step = self._line_search(w, direction, gradient, scores, change, loss)
            predicted_decrease = -_dot(gradient, direction) / 2  # of the quadratic model, along a full step
            converged = exact & self._converged(predicted_decrease, objective, start[1], step, scores, change)
            w, scores = w + step * direction, scores + step * change
            solution[:, active], solved[active] = w, converged[:, 0]
            unfinished = ((step > 0) & ~converged)[:, 0]  # a step of 0 would only repeat itself
            if not unfinished.any():
                break
            if not unfinished.all():  # drop the finished columns: P shrinks
                active, start = active[unfinished], start[:, unfinished]
                w, scores = w[:, unfinished], scores[:, unfinished]
                self.costs = self.costs[:, unfinished]
                self.targets = self.targets if self.targets.shape[1] == 1 else self.targets[:, unfinished]
        return solution, solved

    def _evaluate(self, w: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradient (d, P, K), the loss weighted by costs (P, 1) and `Loss.hessian_state` (n, P, K)."""
        loss = self.loss(scores, self.targets)
        gradient = self.penalty * w + self._transpose_product(self.costs * loss.gradient, self.x)
        return gradient, _sum(self.costs * loss.value), loss.hessian_state

    def _converged(
        self, predicted: Tensor, objective: Tensor, initial: Tensor, step: Tensor, scores: Tensor, change: Tensor
    ) -> Tensor:
        """Return whether the step just taken was the last one needed, bool (P, 1).

        It was if it was predicted to lower F by at most `tolerance` F, *and* moved the scores by at most √tolerance of
        their spread over the samples: with a small C predictions can still change where F hardly does. Near the
        optimum Newton's method converges superlinearly, so what is left after the step is a small part of either.

        This holds for a full step only. A shortened one counts if the rest is below rounding. A problem without an
        optimum also ends (a class without samples, whose free bias goes to infinity): there, the predicted decrease
        becomes negligible beside the objective at w = 0.
        """
        if self.coupled:  # adding one number to all scores of a sample does not change a softmax
            change = change - change.mean(2, keepdim=True)
        spread = scores - scores.mean(0)
        settled = _dot(change, change) <= self.tolerance * _dot(spread, spread)
        small = settled & (predicted <= self.tolerance * objective)
        full = (step > 0.5) | (step == 0) | (predicted <= ROUNDING * objective)
        return (small & full) | (predicted <= ROUNDING * self.tolerance * initial)

    def _newton_direction(self, gradient: Tensor, hessian_state: Tensor, progress: Tensor) -> tuple[Tensor, Tensor]:
        """Solve H d = -g by preconditioned conjugate gradients, more exactly as the gradient shrinks.

        Return d (d, P, K), and whether it is as exact as requested, bool (P, 1). The residual r = -g - H d is measured
        as rᵀM⁻¹r, M the preconditioner, and has to fall to min(0.1, √progress) of its start: a loose solution is enough
        far from the optimum, and a bound that tends to 0 keeps Newton's convergence superlinear. Products in bf16 are
        precise enough here, because errors in d cannot move the optimum: the gradient of the next step is exact.
        """
        direction = torch.zeros_like(gradient)
        costs, residual = self.costs, -gradient
        levels = self.preconditioner.levels((costs * self.hessian.diagonal(hessian_state)).mean(0))  # (P, K)
        search = self.preconditioner.solve(residual, levels)  # p = M⁻¹ r, (d, P, K)
        norm = _dot(residual, search)  # rᵀ M⁻¹ r, (P, 1)
        goal = norm * progress.sqrt().clamp(max=0.1)
        active = torch.arange(len(norm), device=norm.device)
        exact = norm <= goal  # already true where the gradient is 0
        for _ in range(CG_ITERATIONS):
            unfinished = (norm > goal)[:, 0]
            if not unfinished.any():
                break
            if unfinished.float().mean() < COMPACT_BELOW:  # copying the columns costs time, so not for a few
                active, norm, goal = active[unfinished], norm[unfinished], goal[unfinished]
                vectors = (residual, search, costs, hessian_state)
                residual, search, costs, hessian_state = (vector[:, unfinished] for vector in vectors)
                levels = levels[unfinished]
            curved_scores = costs * self.hessian.product(hessian_state, _product(self.x_bf16, search))  # (n, P, K)
            curved = self.penalty * search + self._transpose_product(curved_scores, self.x_bf16)  # H p, (d, P, K)
            curvature = _dot(search, curved)  # pᵀ H p; not positive only by rounding: then this column ends
            length = (norm > goal) * norm / curvature.where(curvature > 0, torch.inf)
            direction[:, active] += length * search
            residual = residual - length * curved
            preconditioned = self.preconditioner.solve(residual, levels)
            norm, previous = _dot(residual, preconditioned).where(curvature > 0, 0), norm
            exact[active] |= (norm <= goal) & (curvature > 0)
            search = preconditioned + (norm / previous.clamp_min(1e-30)) * search
        return direction, exact

    def _line_search(
        self, w: Tensor, direction: Tensor, gradient: Tensor, scores: Tensor, change: Tensor, loss: Tensor
    ) -> Tensor:
        """Return the step t along d, (P, 1), or 0 where none lowers the objective.

        φ(t) = F(w + t d) = 1/2 wᵀDw + t wᵀDd + t²/2 dᵀDd + Σ c loss(f + t X d). A few Newton steps in one dimension
        approach its minimum; then t is halved until φ(t) <= φ(0) + ARMIJO t gᵀd, up to rounding.
        """
        linear, quadratic = _dot(self.penalty * w, direction), _dot(self.penalty * direction, direction)  # wᵀDd, dᵀDd
        descent = _dot(gradient, direction)  # gᵀd = φ'(0), negative
        slack = ROUNDING * (loss + _dot(self.penalty * w, w) / 2)
        step = torch.ones_like(loss)
        for _ in range(LINE_SEARCH_STEPS):
            slope, curvature = self._loss_derivatives(scores + step * change, change)
            slope, curvature = slope + linear + step * quadratic, curvature + quadratic  # φ'(t), φ''(t)
            step = (step - slope / curvature.clamp_min(1e-30)).clamp(*STEP_RANGE)
        for _ in range(HALVINGS):
            trial = _sum(self.costs * self.loss(scores + step * change, self.targets).value)
            increase = trial - loss + step * linear + step.square() * quadratic / 2  # φ(t) - φ(0)
            rejected = increase > ARMIJO * step * descent + slack
            if not rejected.any():
                return step
            step = torch.where(rejected, step / 2, step)
        return torch.where(rejected, 0, step)

    def _loss_derivatives(self, scores: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first and second derivative of Σ c loss(f + t X d) in t, (P, 1), at the scores f + t X d."""
        loss = self.loss(scores, self.targets)
        curvature = _sum(self.costs * change * self.hessian.product(loss.hessian_state, change))
        return _sum(self.costs * loss.gradient * change), curvature

    def _transpose_product(self, by_scores: Tensor, x: Tensor) -> Tensor:
        """Return Xᵀ v, (d, P, K): derivatives in the scores (n, P, K) become derivatives in the weights."""
        by_weights = _product(x.T, by_scores)
        if self.coupled:  # adding one number to all biases changes nothing: keep rounding errors from growing that way
            by_weights[-1] -= by_weights[-1].mean(-1, keepdim=True)
        return by_weights


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product of each problem, (P, 1), of (d, P, K) or (n, P, K)."""
    return _sum(a * b)


def _sum(products: Tensor) -> Tensor:
    return products.sum((0, 2))[:, None]


def _product(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Multiply a matrix (a, b) with all columns of (b, P, K) at once, in the matrix's precision: (a, P, K)."""
    return (matrix @ vectors.flatten(1).to(matrix)).to(vectors).unflatten(1, vectors.shape[1:])


def fast_in_bf16(device: torch.device) -> bool:
    """Return whether a device has bf16 instructions; without them such products are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
