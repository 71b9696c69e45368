"""The workflow goes on by the same command after kill -9, and what comes out is the same to the bit."""

import pytest

from tests.survival.campaign import campaign
from tests.survival.small_run import FEW_STAGES

pytestmark = pytest.mark.slow  # minutes


def test_ten_kills_at_random_moments_change_nothing(tmp_path):
    found = campaign(tmp_path, kills=10, targets=FEW_STAGES)
    assert found.kills == 10
    assert found.differences == []
