"""Minibatches on their way to the device: on a GPU they travel while the update before still runs."""

import torch

from zfnet.training.views import Minibatch


class Uploads:
    """Bring minibatches to a device, on a CUDA stream of their own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, minibatch: Minibatch) -> Minibatch:
        """Give the minibatch on the device; what is queued from now on sees it whole."""
        if self.stream is None:
            return minibatch.each(lambda tensor: tensor.to(self.device))
        with torch.cuda.stream(self.stream):
            there = minibatch.each(lambda tensor: tensor.to(self.device, non_blocking=True))
        work = torch.cuda.current_stream(self.device)
        work.wait_stream(self.stream)
        for tensor in filter(lambda tensor: tensor is not None, there):
            tensor.record_stream(work)  # its memory is not given away while the update still reads it
        return there

    def wait(self) -> None:
        """Wait until all minibatches have left the CPU's memory, not for the updates that follow."""
        if self.stream is not None:
            self.stream.synchronize()
