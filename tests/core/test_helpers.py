"""Small helpers of the core: suggestions for unknown names, values per colour channel, CSV tables."""

import pytest
import torch

from zfnet.core.colours import rgb_image, rgb_vector
from zfnet.core.errors import ZfnetError
from zfnet.core.suggest import did_you_mean, require_known
from zfnet.core.tables import write_records, write_table


def test_a_close_name_is_suggested_and_a_distant_one_is_not():
    assert did_you_mean("conv6", ["conv5", "fc7"]) == "; did you mean 'conv5'?"
    assert did_you_mean(9, [1, 2]) == "."


def test_an_unknown_name_is_refused_with_the_known_ones():
    require_known("zf", ["zf", "krizhevsky"], "net")
    with pytest.raises(ZfnetError, match=r"There is no net 'zg'; there are zf, krizhevsky; did you mean 'zf'\?"):
        require_known("zg", ["zf", "krizhevsky"], "net")


def test_three_numbers_become_a_vector_or_an_image():
    assert torch.equal(rgb_vector((1, 2, 3), "mean", torch.float64), torch.tensor([1, 2, 3], dtype=torch.float64))
    image = rgb_image([1.0, 2.0, 3.0], 4, "mean")
    assert image.shape == (3, 4, 4) and image[:, 3, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("values", [(1.0, 2.0), (1.0, 2.0, 3.0, 4.0), (1.0, float("nan"), 3.0), 5.0])
def test_anything_but_three_finite_numbers_is_refused(values):
    with pytest.raises(ZfnetError, match=r"std: found .*, expected three finite numbers"):
        rgb_vector(values, "std")


def test_tables_round_floats_and_records_keep_their_digits(tmp_path):
    write_table(tmp_path / "table.csv", ("name", "value"), [("a,b", 1 / 3)])
    write_records(tmp_path / "records.csv", ("name", "value"), [{"value": 1 / 3, "name": "a", "other": 1}])
    assert (tmp_path / "table.csv").read_text() == 'name,value\n"a,b",0.3333333\n'
    assert (tmp_path / "records.csv").read_text() == "name,value\na,0.3333333333333333\n"
