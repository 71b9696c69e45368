"""A data set in memory and a net that fits it."""

import pytest
import torch
from fake_shards import FakeShards

from zfnet.nets import build


@pytest.fixture
def shards():
    return FakeShards()


@pytest.fixture
def net():
    """A small net with dropout, in training mode, and a mean image that differs from place to place."""
    torch.manual_seed(5)
    net = build("zf", classes=7, width=1 / 24, crop=64)
    for name, parameter in net.named_parameters():
        if name.endswith("weight"):
            torch.nn.init.kaiming_normal_(parameter)
    net.mean.copy_(128 + 10 * torch.randn(net.mean.shape))
    return net.train()
