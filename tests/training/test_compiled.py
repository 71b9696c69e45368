"""The compiled update against the plain one, and what happens where it cannot be had."""

import pytest
import torch

from zfnet.core.seeds import generator
from zfnet.nets import build
from zfnet.settings import Recipe
from zfnet.training import compiled
from zfnet.training.compiled import may_compile
from zfnet.training.init_weights import initialise
from zfnet.training.train_step import Learner, Part

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
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: no update can be recorded")


def learner(step, recipe=RECIPE, device="cpu", **options):
    net = build("zf", classes=10, width=1 / 16, crop=64, dropout=recipe.dropout)
    initialise(net, recipe, seed=1)
    net.mean.fill_(128)
    return Learner(net.to(device), recipe, recipe.learning_rate, 400 * torch.eye(3), step=step, **options)


def uncompiled():
    """A learner whose rate lies beside its weights, as float32, like that of a compiled one."""
    one = learner("compiled")
    one.compiling = False
    return one


def minibatch(step, count=16):
    images = torch.randint(256, (count, 73, 73, 3), generator=generator("images", step), dtype=torch.uint8)
    return images, torch.arange(count) % 10


def learn(one, steps=4):
    for step in range(steps):
        one.learn(*minibatch(step), (1, 0, step), 0.25 * step)
        one.set_rate(0.01 / (1 + step))
    return one


def ways(one, recipe=RECIPE):
    """How far each weight has gone from where it began."""
    start = learner("eager", recipe).net
    return {name: weight.detach().cpu() - start.get_parameter(name) for name, weight in one.net.named_parameters()}


def assert_as_near_to_fp32(found, plain, fp32, share):
    """Rounding took the compiled weights hardly farther from those in fp32 than it took the plain ones."""
    found, plain, fp32 = map(ways, (found, plain, fp32))
    for name, way in fp32.items():
        assert (found[name] - way).norm() <= share * (plain[name] - way).norm(), name
        assert (plain[name] - way).norm() < 0.3 * way.norm(), name  # or the comparison says nothing


def test_only_bf16_is_compiled_and_on_a_cpu_only_when_asked():
    assert not any(may_compile(step, FP32, device) for step in ("auto", "compiled") for device in (CPU, CUDA))
    assert may_compile("auto", RECIPE, CUDA) and not may_compile("auto", RECIPE, CPU)
    assert may_compile("compiled", RECIPE, CPU) and not may_compile("eager", RECIPE, CUDA)
    assert not learner("compiled", part=Part(0, 2)).compiling


def test_what_cannot_be_compiled_is_learned_plainly(monkeypatch, capsys):
    def compile(answer, **options):
        def fail(minibatch):
            answer(minibatch)
            raise RuntimeError("no working C++ compiler\nand much more")

        return fail

    monkeypatch.setattr(compiled.torch, "compile", compile)
    ours, plain = learn(learner("compiled")), learn(uncompiled())
    said = capsys.readouterr().out
    assert said == "The update runs uncompiled, which is slower: no working C++ compiler\n"
    assert all(torch.equal(tensor, plain.state()[name]) for name, tensor in ours.state().items())
    assert torch.equal(ours.sums, plain.sums)


def test_trying_an_update_changes_nothing_and_other_sizes_are_learned_plainly(monkeypatch):
    """With a compiler that only counts, all is as it is without one, to the last bit."""
    sizes = []

    def compile(answer, **options):
        def count(minibatch):
            sizes.append(len(minibatch.labels))
            return answer(minibatch)

        return count

    monkeypatch.setattr(compiled.torch, "compile", compile)
    ours, plain = learner("compiled"), uncompiled()
    for one in (ours, plain):
        for step, count in enumerate((8, 8, 4)):
            one.learn(*minibatch(step, count), (1, 0, step), 0.0)
    assert sizes == [8, 8, 8]  # the first is tried, then learned from
    assert all(torch.equal(tensor, plain.state()[name]) for name, tensor in ours.state().items())


@pytest.mark.slow
def test_the_compiled_update_is_the_plain_one_in_fp32():
    ours = learner("compiled", FP32)
    ours.compiling = True  # though a recipe in fp32 is not
    learn(ours), learn(plain := learner("eager", FP32))
    expected = ways(plain)
    for name, way in ways(ours).items():
        assert (way - expected[name]).norm() <= 1e-3 * expected[name].norm(), name
    torch.testing.assert_close(ours.sums, plain.sums, rtol=1e-3, atol=0)


@pytest.mark.slow
def test_the_compiled_update_in_bf16_is_as_near_to_fp32_as_the_plain_one():
    learners = learner("compiled"), learner("eager"), learner("eager", FP32)
    assert_as_near_to_fp32(*(learn(one, steps=1) for one in learners), share=1.25)


@needs_gpu
@pytest.mark.gpu
def test_on_a_gpu_the_recorded_update_is_as_near_to_fp32_as_the_plain_one(capsys):
    ours, plain, fp32 = learner("auto", device="cuda"), learner("eager", device="cuda"), learner("eager", FP32, "cuda")
    assert_as_near_to_fp32(*(learn(one, steps=1) for one in (ours, plain, fp32)), share=1.5)
    assert capsys.readouterr().out == ""  # it was recorded
    assert isinstance(ours._fast[1], compiled.Recording)


@needs_gpu
@pytest.mark.gpu
def test_on_a_gpu_dropout_is_set_by_the_place():
    recipe = RECIPE.model_copy(update={"dropout": 0.5})
    first, second, other = (learner("auto", recipe, "cuda") for _ in range(3))
    for one, epoch in ((first, 0), (second, 0), (other, 1)):
        for step in (1, 2):
            one.learn(*minibatch(0), (1, epoch, step), 0.9)
    torch.testing.assert_close(first.sums, second.sums, rtol=1e-3, atol=1e-3)
    assert (first.sums - other.sums).abs()[0] > 1e-3
