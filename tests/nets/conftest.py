"""Small nets and inputs."""

import pytest
import torch

from zfnet.nets import Network, build


@pytest.fixture
def small():
    """Return a function that builds small nets in eval mode: small("zf", remove=(3, 4))."""

    def make(name: str = "zf", **options) -> Network:
        torch.manual_seed(2013)
        options = {"classes": 10, "width": 1 / 24, "crop": 80, **options}
        net = build(name, **options).eval()
        net.mean.copy_(torch.rand(net.mean.shape) * 255)
        return net

    return make


@pytest.fixture
def images():
    """Return inputs: float32 (3, 3, 80, 80), mean-subtracted."""
    return 60 * torch.randn(3, 3, 80, 80, generator=torch.Generator().manual_seed(1))
