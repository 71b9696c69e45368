"""The benchmarks of norm, update and end to end run at tiny sizes; their counts agree with counts by hand."""

import math

import pytest

from benchmarks import end_to_end, norm, pool, step
from benchmarks.costs import Product, forward_flops, image_bytes, products, training_flops, weight_bytes
from benchmarks.harness import Bench, Row
from zfnet.nets.architecture import describe


def quick_run(group, tmp_path):
    """Return the rows and remarks of a quick run."""
    results = list(group.results(Bench(tmp_path, 1, quick=True)))
    rows = [result for result in results if isinstance(result, Row)]
    assert all(math.isfinite(value) and value > 0 for row in rows for value in (row.ours, row.peer, row.peak_mb))
    return rows, [result for result in results if isinstance(result, str)]


@pytest.mark.parametrize(
    "name, changes, forward, training",
    [
        ("zf", {}, 2.336, 6.667),
        ("krizhevsky", {}, 1.449, 4.136),
        ("zf", {"maps": {3: 512, 4: 1024, 5: 512}}, 4.953, 14.519),
    ],
)
def test_counted_operations_are_those_of_the_published_nets(name, changes, forward, training):
    net = describe(name, **changes)
    assert forward_flops(net) / 1e9 == pytest.approx(forward, abs=6e-4)
    assert training_flops(net) / 1e9 == pytest.approx(training, abs=6e-4)


def test_matrix_products_are_the_counted_operations():
    for name in ("zf", "krizhevsky"):
        net = describe(name)
        listed = list(products(net, batch=4))
        counted = sum(2 * groups * rows * inner * columns for groups, rows, inner, columns in listed)
        assert counted == 4 * training_flops(net)
        assert len(listed) == 3 * 8 - 1  # the first layer needs no gradient of its input
    assert Product(2, 4 * 27 * 27, 48 * 5 * 5, 128) in listed  # Krizhevsky's second layer, in two groups


def test_the_limit_of_a_pass_of_pooling_is_its_input_and_its_output():
    assert pool._traffic((1, 1, 110, 110)) == (1 + 55 * 55 / 110**2) / 2


def test_counted_bytes_follow_maps_and_weights():
    net = describe("zf", classes=10, width=1 / 8, crop=64, remove=(3, 4, 6, 7))
    shapes = {planned.name: planned.shape for planned in net.plan()}
    written = sum(math.prod(shapes[f"{kind}{n}"]) for kind, n in (("conv", 1), ("pool", 1), ("norm", 1), ("conv", 2)))
    written += sum(math.prod(shapes[name]) for name in ("pool2", "norm2", "conv5", "pool5", "fc8"))
    assert image_bytes(net) == 8 * written
    weights = 12 * 3 * 49 + 32 * 12 * 25 + 32 * 32 * 9 + 10 * math.prod(shapes["pool5"])
    assert weight_bytes(net) == 34 * weights


def test_hours_are_computed_for_every_training_of_the_paper():
    each, total = end_to_end.hours({"zf": 1000.0, "krizhevsky": 2000.0}, width=1.0, crop=224)
    hours = 70 * 1_281_167 / 1000 / 3600
    assert f"zf-s1 {hours:.1f}," in each and f"krizhevsky-s1 {hours * 90 / 70 / 2:.1f}," in each
    assert f"zf-wide {hours * 14.519 / 6.667:.1f}," in each
    assert "computed" in each and "computed" in total
    (refusal,) = end_to_end.hours({"zf": 1.0, "krizhevsky": 1.0}, width=0.5, crop=224)
    assert "not" in refusal


@pytest.mark.slow
def test_norm_is_compared_in_both_precisions_and_directions(tmp_path):
    rows, _ = quick_run(norm, tmp_path)
    assert {row.unit for row in rows} == {"ms"} and all(row.limit > 0 for row in rows)
    assert sum("forward and backward" in row.case for row in rows) == len(rows) / 2 >= 2


@pytest.mark.slow
def test_pooling_is_compared_in_both_directions(tmp_path):
    rows, _ = quick_run(pool, tmp_path)
    assert [row.case.split(", ")[-1] for row in rows] == ["forward", "forward and backward"]
    assert all(row.limit > 0 for row in rows)


@pytest.mark.slow
def test_updates_are_compared_with_the_plain_one_and_with_alexnet(tmp_path):
    rows, remarks = quick_run(step, tmp_path)
    assert [row.peer_name.split(",")[0] for row in rows[:2]] == ["eager float32", "torchvision alexnet"]
    assert {row.unit for row in rows} == {"images/s"} and all(row.limit > 0 for row in rows)
    assert all("counted" in remark and "measured rate" in remark for remark in remarks)


@pytest.mark.slow
def test_loader_and_update_are_compared_with_the_update_alone(tmp_path):
    rows, remarks = quick_run(end_to_end, tmp_path)
    assert [row.peer_name for row in rows] == ["the update alone"] * 2
    assert "of full size only" in remarks[-1]
