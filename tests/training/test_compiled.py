"""The compiled update against the plain one, and what happens where it cannot be had."""

import pytest
import torch

from zfnet.nets import build
from zfnet.settings import Recipe
from zfnet.training import compiled
from zfnet.training.compiled import may_compile
from zfnet.training.initialise import initialise
from zfnet.training.learner import Learner, Part
from zfnet.training.randomness import generator

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
RECIPE = Recipe(std=0.03, rate=0.01, dropout=0.0, colour=0.1, colour_stop=0.5, precision="bf16", renormalise=0.05)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: no update can be recorded")


def learner(step, recipe=RECIPE, device="cpu", **options):
    net = build("zf", classes=10, width=1 / 16, crop=64, dropout=recipe.dropout)
    initialise(net, recipe, seed=1)
    net.mean.fill_(128)
    return Learner(net.to(device), recipe, recipe.rate, 400 * torch.eye(3), step=step, **options)


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


def assert_near(found, expected, start, tolerance):
    """The ways that the weights went differ by a small share of their length."""
    for name, weight in start.net.named_parameters():
        way = expected.net.get_parameter(name) - weight
        difference = found.net.get_parameter(name) - expected.net.get_parameter(name)
        assert difference.norm() <= tolerance * way.norm(), name
    torch.testing.assert_close(found.sums, expected.sums, rtol=tolerance, atol=1)


def test_only_bf16_is_compiled_and_on_a_cpu_only_when_asked():
    fp32 = Recipe(precision="fp32")
    assert not any(may_compile(step, fp32, device) for step in ("auto", "compiled") for device in (CPU, CUDA))
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
@pytest.mark.parametrize("precision, tolerance", [("fp32", 1e-3), ("bf16", 0.1)])
def test_the_compiled_update_agrees_with_the_plain_one(monkeypatch, precision, tolerance):
    recipe = RECIPE.model_copy(update={"precision": precision})
    ours = learner("compiled", recipe)
    ours.compiling = True  # though a recipe in fp32 is not
    assert_near(learn(ours), learn(learner("eager", recipe)), learner("eager", recipe), tolerance)


@needs_gpu
@pytest.mark.gpu
def test_on_a_gpu_the_recorded_update_agrees_with_the_plain_one(capsys):
    ours, plain = learn(learner("auto", device="cuda")), learn(learner("eager", device="cuda"))
    assert capsys.readouterr().out == ""  # it was recorded
    assert isinstance(ours._fast[1], compiled.Recording)
    assert_near(ours, plain, learner("eager", device="cuda"), 0.1)


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
