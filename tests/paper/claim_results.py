"""Results folders that the tests of claims make, file by file, and the verdict on them."""

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from zfnet.core.files import write_json
from zfnet.evaluation import top_k
from zfnet.paper.claims import decide
from zfnet.paper.claims.verdicts import Evidence
from zfnet.paper.results import Results
from zfnet.settings import Paper

SETTINGS = Paper(resamples=500)


def decided(name, root):
    return decide.decide(name, Evidence(Results(root), SETTINGS))


def write_csv(path, rows, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=names.split()).to_csv(path, index=False)


def write_errors(root, variant, top5, seeds=(1, 2, 3, 4, 5)):
    """Evaluations of a variant, one per seed; all measures are the same number."""
    for seed, error in zip(seeds, top5, strict=True):
        both = {"top1": error, "top5": error}
        folder = root / "runs" / f"{variant}-s{seed}"
        write_json(folder / "spec.json", {"seed": seed})
        evaluation = {"val": {"images": 9, "ten": both, "centre": both}, "train": {"images": 9, "centre": both}}
        write_json(folder / "evaluation.json", evaluation)


def write_net(root, seed, net=None, classes=0, images=0):
    """A trained net of Fig. 3 that can be looked at."""
    write_json(root / f"runs/zf-s{seed}/spec.json", {"seed": seed, "net": net or {}})
    write_json(root / f"runs/zf-s{seed}/metrics.json", {"classes": classes, "images": images})


def write_cuts(root, no34, no7, no67, no3467):
    noise = np.array([0.0, 0.1, -0.1, 0.05, -0.05])
    write_errors(root, "krizhevsky", 18.1 + noise)
    for shift, (variant, error) in enumerate({"no34": no34, "no7": no7, "no67": no67, "no3467": no3467}.items()):
        write_errors(root, f"krizhevsky-{variant}", error + np.roll(noise, shift))


def write_predictions(root, run, rng, labels, skill=0.3, noise=0.6, centre=0.0):
    """Predictions of a net whose errors are its own; the centre crop misses `centre` more of the images."""
    folder = root / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    scores = rng.random((labels.size, 10)) * noise
    scores[np.arange(labels.size), labels] += skill
    probabilities = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    missed = {k: (top_k.missed(probabilities, labels, k) | (rng.random(labels.size) < centre)) for k in (1, 5)}
    arrays = {f"centre_missed{k}": wrong.astype(np.uint8) for k, wrong in missed.items()}
    save_file({"probabilities": probabilities, "labels": labels, **arrays}, folder / "predictions.safetensors")


def write_full_size(root):
    for seed in (1, 2, 3, 4, 5):
        write_net(root, seed, {"width": 1.0, "crop": 224}, 1000, 1_281_167)
