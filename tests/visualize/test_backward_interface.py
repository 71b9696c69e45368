"""The interface of the backward pass: nets are left as they were, units and positions are chosen, errors are clear."""

import pytest
import torch

from zfnet.core.errors import ZfnetError
from zfnet.visualize import RULES, Rule, project, saliency_map
from zfnet.visualize.backward import DECONVNET


@pytest.mark.parametrize("rule", RULES)
def test_nets_are_left_unmodified_and_without_hooks(foreign, images, rule):
    module, net = foreign(norm=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    kinds, given = [type(one) for one in module.modules()], images.clone()
    logits = module(images.clone())
    project(net, images, "conv3", 2, rule=rule)
    saliency_map(net, images, 1)
    assert not any(hooks for one in net.modules() for name, hooks in vars(one).items() if name.endswith("_hooks"))
    assert [type(one) for one in module.modules()] == kinds
    assert not any(one.training for one in net.modules())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert torch.equal(images, given)
    assert torch.equal(module(images.clone()), logits)


def test_one_unit_and_position_for_each_image(foreign, images):
    _, net = foreign()
    together = project(net, images, "conv3", [4, 9], torch.tensor([[1, 2], [3, 0]]))
    for one, (unit, place) in enumerate([(4, (1, 2)), (9, (3, 0))]):
        alone = project(net, images[one : one + 1], "conv3", unit, place)
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[one : one + 1], theirs)


def test_without_a_position_the_strongest_is_projected(foreign, images):
    _, net = foreign()
    planes = net.trace(images, "conv3").activations["conv3"][:, 5].flatten(1)
    activation, pixels = project(net, images, "conv3", 5)
    places = torch.stack([planes.argmax(1) // 5, planes.argmax(1) % 5], 1)
    torch.testing.assert_close(activation, planes.amax(1))
    torch.testing.assert_close(pixels, project(net, images, "conv3", 5, places)[1])


def test_shared_and_in_place_relus_change_nothing(foreign, images):
    results = [project(foreign(inplace=inplace)[1], images, "fc5", 1, rule="guided")[1] for inplace in (True, False)]
    assert torch.equal(*results)


def test_a_custom_rule(foreign, images):
    _, net = foreign()
    flags = Rule(mask=False, rectify=True, switches=True, skip_norm=True)
    assert torch.equal(project(net, images, "conv3", 2, rule=flags)[1], project(net, images, "conv3", 2)[1])
    assert flags == DECONVNET


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"layer": "conv3", "unit": 0, "rule": "deconv"}, "no backward rule 'deconv'; choose one of deconvnet"),
        ({"layer": "conv7", "unit": 0}, "no layer 'conv7'"),
        ({"layer": "conv3", "unit": 16}, "no unit .*16.*; expected 0 to 15"),
        ({"layer": "conv3", "unit": 0, "position": (0, 5)}, "no column .*5.*; expected 0 to 4"),
        ({"layer": "conv3", "unit": 0, "position": (-1, 0)}, "no row .*-1.*; expected 0 to 4"),
    ],
)
def test_mistakes_have_helpful_messages(foreign, images, arguments, sentence):
    _, net = foreign()
    with pytest.raises(ZfnetError, match=sentence):
        project(net, images, **arguments)
