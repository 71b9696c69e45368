"""The compiled step against the eager one, and the fallback where compilation fails."""

import gc
import weakref
from contextlib import nullcontext

import pytest
import torch

from zfnet.core.errors import GraphFailed
from zfnet.core.seeds import generator
from zfnet.nets import build
from zfnet.settings import Recipe
from zfnet.training import compiled
from zfnet.training.compiled import CudaGraphStep, should_compile
from zfnet.training.distributed import Rank
from zfnet.training.init_weights import initialise
from zfnet.training.learner import Learner
from zfnet.training.views import Minibatch

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
RECIPE = Recipe(
    init_std=0.03,
    learning_rate=0.01,
    dropout=0.0,
    pca_noise=0.1,
    pca_noise_until=0.5,
    precision="bf16",
    max_filter_rms=0.05,
)
FP32 = RECIPE.model_copy(update={"precision": "fp32"})
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: no step can be captured")


def learner(compile, recipe=RECIPE, device="cpu", **options):
    net = build("zf", classes=10, width=1 / 16, crop=64, dropout=recipe.dropout)
    initialise(net, recipe, seed=1)
    net.mean.fill_(128)
    return Learner(net.to(device), recipe, recipe.learning_rate, 400 * torch.eye(3), compile=compile, **options)


def uncompiled():
    """Return an eager learner whose learning rate is a float32 tensor on the device, like that of a compiled one."""
    eager = learner("compiled")
    eager.compiling = False
    return eager


def minibatch(step, count=16):
    images = torch.randint(256, (count, 73, 73, 3), generator=generator("images", step), dtype=torch.uint8)
    return images, torch.arange(count) % 10


def train(trained, steps=4):
    for step in range(steps):
        trained.train_step(*minibatch(step), (1, 0, step), 0.25 * step)
        trained.set_lr(0.01 / (1 + step))
    return trained


def changes(trained, recipe=RECIPE):
    """Return how much each weight changed since initialisation."""
    start = learner("eager", recipe).net
    return {name: weight.detach().cpu() - start.get_parameter(name) for name, weight in trained.net.named_parameters()}


def assert_as_near_to_fp32(compiled, eager, fp32, factor):
    """Check that rounding takes compiled weights at most `factor` times as far from those in fp32 as eager ones."""
    compiled, eager, fp32 = map(changes, (compiled, eager, fp32))
    for name, change in fp32.items():
        assert (compiled[name] - change).norm() <= factor * (eager[name] - change).norm(), name
        assert (eager[name] - change).norm() < 0.3 * change.norm(), name  # otherwise the comparison is meaningless


def test_only_bf16_is_compiled_and_on_a_cpu_only_when_asked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert not any(should_compile(compile, FP32, device) for compile in ("auto", "compiled") for device in (CPU, CUDA))
    assert should_compile("auto", RECIPE, CUDA) and not should_compile("auto", RECIPE, CPU)
    assert should_compile("compiled", RECIPE, CPU) and not should_compile("eager", RECIPE, CUDA)
    assert not learner("compiled", rank=Rank(0, 2)).compiling


def test_a_card_without_bfloat16_and_a_process_started_again_run_eagerly(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert not should_compile("auto", RECIPE, CUDA)
    monkeypatch.setenv(*next(iter(compiled.plain_environment({}).items())))
    assert not should_compile("compiled", RECIPE, CPU)


class PTXASError(Exception):
    """As Triton's errors, it has no base class but Exception."""


@pytest.mark.parametrize("error", [RuntimeError, AssertionError, PTXASError])
def test_a_step_that_cannot_be_compiled_runs_eagerly(monkeypatch, capsys, error):
    def compile(forward, **options):
        def fail(minibatch):
            forward(minibatch)
            raise error("no working C++ compiler\nand much more")

        return fail

    monkeypatch.setattr(compiled.torch, "compile", compile)
    ours, plain = train(learner("compiled")), train(uncompiled())
    output = capsys.readouterr().out
    assert output == "The training step runs uncompiled, which is slower: no working C++ compiler\n"
    assert all(torch.equal(tensor, plain.state()[name]) for name, tensor in ours.state().items())
    assert torch.equal(ours.sums, plain.sums)
    assert ours.execution == plain.execution == "eager"


class BrokenGraph:
    """A CUDA graph that fails when it is replayed."""

    def replay(self):
        raise RuntimeError("CUDA error: an illegal memory access\nmore")


def test_a_failed_recording_or_replay_says_that_this_process_cannot_go_on(monkeypatch):
    views = learner("eager").uploads(_views())
    with pytest.raises(GraphFailed, match=r"cannot be recorded \("):  # there is no GPU, or no such step
        CudaGraphStep(lambda minibatch: 1 / 0, views)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", BrokenGraph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, **options: nullcontext())
    recorded = CudaGraphStep(lambda minibatch: None, views)
    with pytest.raises(GraphFailed, match=r"recorded training step failed \(CUDA error: an illegal memory access\)"):
        recorded(views)


def _views():
    images, labels = minibatch(0)
    zeros = torch.zeros(len(labels), dtype=torch.int64)
    return Minibatch(images, labels, zeros, zeros, zeros.bool(), None)


def test_a_finished_learner_is_freed_at_once(monkeypatch):
    """A learner in a reference cycle would keep the memory of its graph until the next garbage collection."""
    monkeypatch.setattr(compiled.torch, "compile", lambda forward, **options: forward)
    ours = train(learner("compiled"), steps=1)
    assert ours.execution == "compiled"
    freed = weakref.ref(ours), weakref.ref(ours.net)
    gc.disable()
    try:
        del ours
        assert [reference() for reference in freed] == [None, None]
    finally:
        gc.enable()


def test_the_trial_step_changes_nothing_and_other_sizes_run_eagerly(monkeypatch):
    """With a compiler that only counts calls, the result is bit-identical to the eager one."""
    sizes = []

    def compile(forward, **options):
        def count(minibatch):
            sizes.append(len(minibatch.labels))
            return forward(minibatch)

        return count

    monkeypatch.setattr(compiled.torch, "compile", compile)
    ours, plain = learner("compiled"), uncompiled()
    for each in (ours, plain):
        for step, count in enumerate((8, 8, 4)):
            each.train_step(*minibatch(step, count), (1, 0, step), 0.0)
    assert sizes == [8, 8, 8]  # the first minibatch is used twice: in the trial and in training
    assert all(torch.equal(tensor, plain.state()[name]) for name, tensor in ours.state().items())


def test_the_compiler_does_not_scatter_the_gradient_of_max_pools(monkeypatch):
    from torch._inductor import compile_fx
    from torch._inductor.decomposition import select_decomp_table

    monkeypatch.setattr(compile_fx, "compile_fx", lambda graph, inputs, decompositions: decompositions)
    removed = set(select_decomp_table()) - set(compiled._inductor(None, []))
    assert {operation.overloadpacket for operation in removed} == {torch.ops.aten.max_pool2d_with_indices_backward}


@pytest.mark.slow
def test_the_compiled_step_is_the_eager_one_in_fp32():
    ours = learner("compiled", FP32)
    ours.compiling = True  # although fp32 recipes are never compiled
    train(ours), train(plain := learner("eager", FP32))
    expected = changes(plain)
    for name, change in changes(ours).items():
        assert (change - expected[name]).norm() <= 1e-3 * expected[name].norm(), name
    torch.testing.assert_close(ours.sums, plain.sums, rtol=1e-3, atol=0)


@pytest.mark.slow
def test_the_compiled_step_in_bf16_is_as_near_to_fp32_as_the_eager_one():
    learners = learner("compiled"), learner("eager"), learner("eager", FP32)
    assert_as_near_to_fp32(*(train(each, steps=1) for each in learners), factor=1.25)


@needs_gpu
@pytest.mark.gpu
def test_on_a_gpu_the_captured_step_is_as_near_to_fp32_as_the_eager_one(capsys):
    ours, plain, fp32 = learner("auto", device="cuda"), learner("eager", device="cuda"), learner("eager", FP32, "cuda")
    assert_as_near_to_fp32(*(train(each, steps=1) for each in (ours, plain, fp32)), factor=1.5)
    assert capsys.readouterr().out == ""  # compilation succeeded
    assert ours.execution == "recorded"


@needs_gpu
@pytest.mark.gpu
def test_on_a_gpu_dropout_is_seeded_by_the_place():
    recipe = RECIPE.model_copy(update={"dropout": 0.5})
    first, second, other = (learner("auto", recipe, "cuda") for _ in range(3))
    for each, epoch in ((first, 0), (second, 0), (other, 1)):
        for step in (1, 2):
            each.train_step(*minibatch(0), (1, epoch, step), 0.9)
    torch.testing.assert_close(first.sums, second.sums, rtol=1e-3, atol=1e-3)
    assert (first.sums - other.sums).abs()[0] > 1e-3
