"""The benchmark of projections runs, and both sides compute the same projections."""

import math
import warnings

import torch

from benchmarks import projection
from benchmarks.harness import Bench, Row
from zfnet.visualize import project


def test_it_yields_projections_per_second(tmp_path):
    row, remark = projection.results(Bench(tmp_path, 1, quick=True))
    assert isinstance(row, Row) and row.unit == "projections/s" and row.peer_name == "captum"
    assert all(math.isfinite(value) and value > 0 for value in (row.ours, row.peer, row.peak_mb))
    assert "computed 8 of the 16" in remark and "an estimate" in remark


def test_both_sides_compute_the_same_projection():
    from captum.attr import NeuronDeconvolution

    net, images = projection._net(1 / 8, 64, 1)
    for operation in net.operations:  # activations that are not next to 0
        if operation.kind == "conv":
            torch.nn.init.kaiming_normal_(operation.module.weight)
    net.norm1.alpha = net.norm2.alpha = 0.0  # captum takes the derivative of the norm, which is now a plain factor
    activation, ours = project(net, images, "conv5", 3)
    _, rows, columns = torch.where(net.trace(images, "conv5").activations["conv5"][:, 3] == activation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = NeuronDeconvolution(net, net.operations[net.layers["conv5"]].module)
        theirs = peer.attribute(images.requires_grad_(), (3, int(rows[0]), int(columns[0])))
    assert activation > 0
    cosine = torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0)
    assert cosine > 1 - 1e-5
