"""Copies of minibatches to the device; on a GPU they overlap with the previous step."""

import torch

from zfnet.training.views import Minibatch


class Uploads:
    """Copies minibatches to a device, on a GPU through a CUDA stream of their own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, minibatch: Minibatch) -> Minibatch:
        """Return the minibatch on the device; kernels launched from now on see the complete copy."""
        if self.stream is None:
            return minibatch.map(lambda tensor: tensor.to(self.device))
        with torch.cuda.stream(self.stream):
            uploaded = minibatch.map(lambda tensor: tensor.to(self.device, non_blocking=True))
        current = torch.cuda.current_stream(self.device)
        current.wait_stream(self.stream)
        for tensor in uploaded:
            # The allocator knows only the stream a tensor was created on. Without this it could reuse the memory for
            # the next upload while the current step still reads it.
            if tensor is not None:
                tensor.record_stream(current)
        return uploaded

    def wait(self) -> None:
        """Wait until all minibatches have left CPU memory, but not for the steps that use them."""
        if self.stream is not None:
            self.stream.synchronize()
