"""What conjugate gradients start from: inverses of Hessians that are nearly those of the heads.

The Hessian of a head is diag(penalty) + Xᵀ diag(c s) X, with s the loss's second derivative at every sample. With the
mean of c s in place of its single values it is diag(penalty) + w Xᵀ X: one product for all heads, and one Cholesky
factor for all heads whose w are nearest to the same power of two. For an SVM at its start, where every sample counts
alike, that is the Hessian itself. A factor is as large as XᵀX, so few are held at a time: heads that differ more share
factors of wider steps, and pay with some turns of the conjugate gradients.
"""

import torch
from torch import Tensor
from torch.linalg import solve_triangular

ROUNDING = 1e-7  # of float32 products: their factors must be positive definite in spite of it
FACTORS = 4  # held at once


class Preconditioner:
    """Approximate inverses for heads on the same features.

    Parameters
    ----------
    x : float (n, d)
    penalty : (d, …, 1), the regulariser's second derivative
    """

    def __init__(self, x: Tensor, penalty: Tensor):
        self.products, self.penalty = x.T @ x, penalty.flatten().double()
        self.trace = self.products.trace().double()
        self.factors: dict[int, Tensor] = {}  # by the power of two, float (d, d), lower triangular

    def levels(self, weights: Tensor) -> Tensor:
        """Give the power of two of each weight w, a whole number, and make the factors that are missing.

        Where w XᵀX has a trace below 1 the Hessian is nearly the penalty's, however small w is.
        """
        exact = weights.double().maximum(1 / self.trace).log2()
        levels, step = exact.round().long(), 1
        while len(wanted := levels.unique().tolist()) > FACTORS:
            step *= 2
            levels = step * (exact / step).round().long()
        self.factors = {level: factor for level, factor in self.factors.items() if level in wanted}
        for level in wanted:
            if level not in self.factors:
                self.factors[level] = self._factor(level).to(weights)
        return levels

    def solve(self, vectors: Tensor, levels: Tensor) -> Tensor:
        """Multiply vectors (d, P, K) with the inverse of the level (P, K) of each."""
        if len(self.factors) == 1:
            return _solve(*self.factors.values(), vectors.flatten(1)).view_as(vectors)
        solved = torch.empty_like(vectors)
        for level, factor in self.factors.items():
            mine = levels == level
            solved[:, mine] = _solve(factor, vectors[:, mine])
        return solved

    def _factor(self, level: int) -> Tensor:
        weighted = self.products.to(torch.float64, copy=True).mul_(2.0**level)
        weighted.diagonal().add_(self.penalty + 2.0**level * ROUNDING * self.trace)
        return torch.linalg.cholesky(weighted, out=weighted)


def factor_bytes(d: int) -> int:
    """Return the bytes that a preconditioner of (d, d) in float32 takes: products, factors, one of them in float64."""
    return 4 * d**2 * (1 + FACTORS) + 8 * d**2


def _solve(factor: Tensor, vectors: Tensor) -> Tensor:
    """Solve L Lᵀ z = v; `cholesky_solve` would copy the factor each time."""
    return solve_triangular(factor.mT, solve_triangular(factor, vectors, upper=False), upper=True)
