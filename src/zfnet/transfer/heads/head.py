"""The result of training linear classifiers, whichever solver trained them, and the kinds of classifier."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Kind = Literal["svm", "softmax", "sigmoid"]


@dataclass(frozen=True)
class Head:
    """P linear classifiers over K classes, trained side by side.

    weights : float (d, P, K);  biases : float (P, K)
    solved : bool (P, K), or (P, 1) for softmax: whether the fit met its tolerance; None if unknown
    """

    weights: Tensor
    biases: Tensor
    solved: Tensor | None = None

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores f = X w + b, float (n, P, K), of features (n, d)."""
        return (x.to(self.weights) @ self.weights.flatten(1)).unflatten(1, self.biases.shape) + self.biases
