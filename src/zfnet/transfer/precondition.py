"""What conjugate gradients start from: inverses of Hessians that are nearly those of the heads.

The Hessian of a head is diag(penalty) + Xᵀ diag(c s) X, with s the loss's second derivative at every sample. With the
mean of c s in place of its single values it is diag(penalty) + w Xᵀ X: one product for all heads, and one Cholesky
factor for all heads whose w lie between the same powers of two. For an SVM at its start, where every sample counts
alike, that is the Hessian itself.
"""

import torch
from torch import Tensor
from torch.linalg import solve_triangular

ROUNDING = 1e-7  # of float32 products: their factors must be positive definite in spite of it


class Preconditioner:
    """Approximate inverses for heads on the same features.

    Parameters
    ----------
    x : float (n, d)
    penalty : (d, …, 1), the regulariser's second derivative
    """

    def __init__(self, x: Tensor, penalty: Tensor):
        self.products, self.penalty = (x.T @ x).double(), penalty.flatten().double()
        self.slack = ROUNDING * self.products.trace()
        self.factors: dict[int, Tensor] = {}  # by the power of two, float (d, d), lower triangular

    def levels(self, weights: Tensor) -> Tensor:
        """Give the power of two of each weight w, a whole number, and make the factors that are missing."""
        levels = weights.double().clamp_min(1e-30).log2().round().long()
        wanted = levels.unique().tolist()
        self.factors = {level: self._factor(level).to(weights) for level in wanted}
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
        if level in self.factors:
            return self.factors[level]
        weighted = 2.0**level * self.products
        weighted.diagonal().add_(self.penalty + 2.0**level * self.slack)
        return torch.linalg.cholesky(weighted)


def _solve(factor: Tensor, vectors: Tensor) -> Tensor:
    """Solve L Lᵀ z = v; `cholesky_solve` would copy the factor each time."""
    return solve_triangular(factor.mT, solve_triangular(factor, vectors, upper=False), upper=True)
