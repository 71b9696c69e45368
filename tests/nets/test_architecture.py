"""Architectures: published sizes and parameter counts, the variants of Table 3, exact JSON, error messages."""

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfnet.core.errors import ZfnetError
from zfnet.nets.architecture import Architecture, describe

WIDE = {3: 512, 4: 1024, 5: 512}
NOT_OVERLAPPING = {"pool_kernel": 2, "paddings": {2: 1, 4: 0}}
HALF = {"maps": {1: 48, 2: 128, 3: 192, 4: 192}, "one_column": True}
COUNTS = [  # PAPER: parameters of the published nets and of all variants of Table 3
    ("zf", {}, 62_357_608),
    ("zf", {"units": 2048}, 28_848_232),
    ("zf", {"units": 8192}, 154_542_184),
    ("zf", {"maps": WIDE}, 107_627_624),
    ("zf", {"maps": WIDE, "units": 8192}, 237_560_936),
    ("krizhevsky", {}, 60_965_224),
    ("krizhevsky", {"remove": (3, 4)}, 59_268_712),
    ("krizhevsky", {"remove": (7,)}, 44_183_912),
    ("krizhevsky", {"remove": (6, 7)}, 11_551_080),
    ("krizhevsky", {"remove": (3, 4, 6, 7)}, 9_854_568),
    ("krizhevsky", {"units": 2048}, 27_455_848),
    ("krizhevsky", {"units": 8192}, 153_149_800),
    ("krizhevsky", {"contrast_norm": False}, 60_965_224),
    ("krizhevsky", NOT_OVERLAPPING, 60_965_224),  # fc6 keeps its inputs
    (
        *("krizhevsky", HALF),
        48 * 364 + 128 * 1_201 + 192 * 1_153 + 192 * 1_729 + 256 * 1_729 + 4096 * (9_217 + 4_097) + 1000 * 4_097,
    ),
    ("krizhevsky", {"remove": (3,)}, 60_965_224 - 384 * 2_305 - 384 * 9 * 64),  # conv4 sees 2 x 128 maps, not 2 x 192
    ("krizhevsky", {"remove": (4,)}, 60_965_224 - 384 * 1_729),
    ("krizhevsky", {"remove": (5,)}, 60_965_224 - 256 * 1_729 + 4096 * 36 * 128),  # fc6 sees 384 maps, not 256
]


def counted(architecture: Architecture) -> int:
    """Count the parameters from the plan alone: fan-in and bias of every unit."""
    outputs = {p.name: p.shape[0] for p in architecture.plan()}
    return sum((fan_in + 1) * outputs[name] for name, fan_in in architecture.fan_ins().items())


def sides(architecture: Architecture) -> list[int]:
    return [p.shape[1] for p in architecture.plan() if p.kind in ("conv", "pool")]


@pytest.mark.parametrize("name, changes, count", COUNTS)
def test_parameters_are_the_published_ones(name, changes, count):
    assert counted(describe(name, **changes)) == count


def test_sides_of_the_maps_are_those_of_figure_3_and_of_the_replica():
    assert sides(describe("zf")) == [110, 55, 26, 13, 13, 13, 13, 6]
    assert sides(describe("krizhevsky")) == [55, 27, 27, 13, 13, 13, 13, 6]
    assert sides(describe("krizhevsky", **NOT_OVERLAPPING)) == [55, 28, 26, 13, 13, 11, 11, 6]


def test_zf_pools_before_it_normalises_and_the_replica_after():
    order = {name: [p.name for p in describe(name).plan()] for name in ("zf", "krizhevsky")}
    assert order["zf"].index("pool1") < order["zf"].index("norm1")
    assert order["krizhevsky"].index("norm1") < order["krizhevsky"].index("pool1")
    assert not {"norm3", "norm4", "norm5"} & {*order["zf"], *order["krizhevsky"]}


def test_a_net_without_contrast_normalisation_has_the_same_layers_but_for_it():
    with_norm, without = (
        [p.name for p in describe("krizhevsky", **changes).plan()] for changes in ({}, {"contrast_norm": False})
    )
    assert [name for name in with_norm if name not in without] == ["norm1", "norm2"]
    assert [name for name in with_norm if name in without] == without


def test_one_column_has_no_groups():
    plan = describe("krizhevsky", **HALF).plan()
    assert {p.options["groups"] for p in plan if p.kind == "conv"} == {1}


def test_the_pool_of_a_removed_layer_follows_the_layer_before_it():
    plan = [p.name for p in describe("krizhevsky", remove=(5,)).plan()]
    assert plan[plan.index("conv4") : plan.index("flatten")] == ["conv4", "relu4", "pool4"]
    assert sides(describe("krizhevsky", remove=(5,))) == [55, 27, 27, 13, 13, 13, 6]


def test_removed_layers_keep_the_papers_numbers_and_conv5_its_groups():
    plan = {p.name: p for p in describe("krizhevsky", remove=(3, 4)).plan()}
    assert [name for name in plan if name.startswith("conv")] == ["conv1", "conv2", "conv5"]
    assert plan["conv5"].options["groups"] == 2 and plan["conv5"].options["in_channels"] == 256


def test_width_scales_maps_and_units_but_not_classes():
    plan = {p.name: p.shape[0] for p in describe("zf", classes=20, width=1 / 8, crop=112).plan()}
    assert [plan[f"conv{n}"] for n in range(1, 6)] == [12, 32, 48, 48, 32]
    assert plan["fc6"] == plan["fc7"] == 512 and plan["fc8"] == 20


@given(
    name=st.sampled_from(["zf", "krizhevsky"]),
    width=st.floats(0.01, 2),
    crop=st.integers(64, 300),
    remove=st.sets(st.sampled_from([3, 4, 6, 7])),
    units=st.none() | st.integers(1, 9000),
    maps=st.dictionaries(st.integers(1, 5), st.integers(1, 300).map(lambda n: 2 * n)),
    alpha=st.sampled_from(["over_n", "per_term"]),
)
@settings(deadline=None, max_examples=60)
def test_json_round_trips_are_exact(name, width, crop, remove, units, maps, alpha):
    maps = {number: count for number, count in maps.items() if number not in remove}
    net = describe(name, 7, width, crop, None, alpha, remove=tuple(remove), units=units, maps=maps)
    again = Architecture.from_json(json.loads(json.dumps(net.to_json())))
    assert again == net and again.plan() == net.plan()


@given(crop=st.integers(64, 300), name=st.sampled_from(["zf", "krizhevsky"]))
@settings(deadline=None, max_examples=60)
def test_every_window_fits_its_padded_input(crop, name):
    """After the explicit padding the strides of every convolution divide evenly (D2, D3)."""
    side = crop
    for spec in describe(name, crop=crop).plan():
        if spec.kind == "conv":
            room = side + 2 * spec.options["padding"] - spec.options["kernel_size"]
            assert room % spec.options["stride"] == 0
            assert spec.shape[1] == 1 + room // spec.options["stride"]
        side = spec.shape[1] if len(spec.shape) == 3 else side


def test_the_pad_lies_on_the_right_and_bottom():
    pads = {name: [p for p in describe(name).plan() if p.kind == "pad"] for name in ("zf", "krizhevsky")}
    assert [p.options["padding"] for p in pads["zf"]] == [(0, 1, 0, 1)]
    assert [p.options["padding"] for p in pads["krizhevsky"]] == [(0, 3, 0, 3)]


def test_full_size_undoes_width_and_crop_but_keeps_the_changes():
    small = describe("zf", classes=5, width=0.25, crop=112, units=2048)
    assert small.full_size() == describe("zf", classes=5, units=2048)
    assert small.full_size().fan_ins()["fc7"] == 2048 and small.fan_ins()["fc7"] == 512


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"name": "zfnet"}, ["zfnet", "did you mean 'zf'"]),
        ({"name": "zf", "unit": 2048}, ["'unit'", "did you mean 'units'"]),
        ({"name": "zf", "remove": (9,)}, ["9", "1, 2, 3, 4, 5, 6, 7"]),
        ({"name": "zf", "maps": {6: 512}}, ["6", "1, 2, 3, 4, 5"]),
        ({"name": "zf", "remove": (3,), "maps": {3: 512}}, ["layer 3", "1, 2, 4, 5"]),
        ({"name": "zf", "width": 0.0}, ["width", "greater than 0"]),
        ({"name": "zf", "norm_alpha": "per_n"}, ["norm_alpha", "over_n", "per_n"]),
        ({"name": "zf", "crop": 20}, ["crop of 20 px", "too small"]),
        ({"name": "zf", "crop": 224, "size": 200}, ["224", "200"]),
        ({"name": "krizhevsky", "maps": {2: 255}}, ["conv2", "groups", "255"]),
        ({"name": "zf", "units": "many"}, ["units", "many"]),
    ],
)
def test_mistakes_have_helpful_messages(arguments, words):
    with pytest.raises(ZfnetError) as caught:
        describe(**arguments)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("data", [None, [], "zf", {}, {"name": "zf", "layers": 3}, {"name": 5}, {"name": "vgg"}])
def test_data_that_is_no_architecture_is_refused(data):
    with pytest.raises(ZfnetError):
        Architecture.from_json(data)


def test_describing_a_net_needs_no_torch():
    code = "import sys; from zfnet.nets import describe; describe('zf').plan(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
