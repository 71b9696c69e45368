"""The rule by which top-k errors are counted, in training and in evaluation alike.

Ties count against the net: an image is an error unless fewer than k other classes score at least as high as its label.
So a net that gives all classes the same score is always wrong, and so is one that gives NaN. With k >= C no image is
an error. The rule uses operators only and takes numpy arrays as well as torch tensors.
"""

from typing import Any


def is_top_k_error(scores: Any, label_scores: Any, k: int) -> Any:
    """Return which images are top-k errors: bool (N,).

    Parameters
    ----------
    scores : float (N, C), array or tensor; probabilities, logits or anything that rises with them.
    label_scores : float (N,), the score of each image's label, `scores[i, labels[i]]`.
    k : number of guesses allowed.
    """
    rivals = (~(scores < label_scores[:, None])).sum(1) - 1  # (N,), label itself excluded; NaN is not below anything
    return (rivals >= k) & (k < scores.shape[1])
