"""Preconditioner of the conjugate gradients: cheap approximate inverses of the heads' Hessians.

The Hessian of one head is

    H = D + Xᵀ diag(c s) X        D = diag(penalty), s_i the second derivative of the loss at sample i, c_i its cost

Replacing every c_i s_i by their mean σ gives D + σ XᵀX, in which only the scalar σ depends on the head. With σ rounded
to a power of two 2^l, all heads of one level l share a single Cholesky factor

    L Lᵀ = D + 2^l XᵀX ≈ H

and rounding alone costs a condition number of at most 2. An SVM at w = 0, where every sample lies inside the margin,
has s_i constant: with equal costs the approximation is then exact up to that rounding.

A factor is as large as XᵀX, so at most `FACTORS` are held. If the heads need more levels, the levels are made coarser;
that costs conjugate-gradient iterations, not accuracy.
"""

import torch
from torch import Tensor
from torch.linalg import solve_triangular

ROUNDING = 1e-7  # relative error of XᵀX in float32; added to the diagonal, so that Cholesky stays positive definite
FACTORS = 4  # held at once


class Preconditioner:
    """Approximate inverse Hessians of heads on the same features.

    Parameters
    ----------
    x : float (n, d)
    penalty : (d, 1, 1), the diagonal D, second derivative of the regulariser
    """

    def __init__(self, x: Tensor, penalty: Tensor):
        self.gram, self.penalty = x.T @ x, penalty.flatten().double()  # (d, d), (d,)
        self.trace = self.gram.trace().double()
        self.factors: dict[int, Tensor] = {}  # level l -> L, float (d, d), lower triangular

    def levels(self, mean_curvature: Tensor) -> Tensor:
        """Return the level l of each head, and compute the factors that are missing.

        Parameters
        ----------
        mean_curvature : float (P, K)
            σ, the mean over samples of c s.

        Returns
        -------
        int64 (P, K), with at most `FACTORS` distinct values
        """
        # trace(XᵀX) bounds its largest eigenvalue: below σ = 1 / trace the penalty dominates and σ hardly matters.
        exact = mean_curvature.double().maximum(1 / self.trace).log2()
        levels, spacing = exact.round().long(), 1
        while len(wanted := levels.unique().tolist()) > FACTORS:
            spacing *= 2
            levels = spacing * (exact / spacing).round().long()
        self.factors = {level: factor for level, factor in self.factors.items() if level in wanted}
        for level in wanted:
            if level not in self.factors:
                self.factors[level] = self._factor(level).to(mean_curvature)
        return levels

    def solve(self, vectors: Tensor, levels: Tensor) -> Tensor:
        """Return (L Lᵀ)⁻¹ v for vectors (d, P, K), each with the factor of its level (P, K)."""
        if len(self.factors) == 1:
            (factor,) = self.factors.values()
            return _cholesky_solve(factor, vectors.flatten(1)).view_as(vectors)
        solutions = torch.empty_like(vectors)
        for level, factor in self.factors.items():
            at_level = levels == level  # (P, K)
            solutions[:, at_level] = _cholesky_solve(factor, vectors[:, at_level])
        return solutions

    def _factor(self, level: int) -> Tensor:
        matrix = self.gram.to(torch.float64, copy=True).mul_(2.0**level)
        matrix.diagonal().add_(self.penalty + 2.0**level * ROUNDING * self.trace)
        return torch.linalg.cholesky(matrix, out=matrix)


def factor_bytes(d: int) -> int:
    """Return the bytes of a preconditioner for d features in float32: XᵀX, the factors, and one of them in float64."""
    return 4 * d**2 * (1 + FACTORS) + 8 * d**2


def _cholesky_solve(factor: Tensor, vectors: Tensor) -> Tensor:
    """Solve L Lᵀ z = v by two triangular solves; `torch.cholesky_solve` would copy the factor on every call."""
    return solve_triangular(factor.mT, solve_triangular(factor, vectors, upper=False), upper=True)
