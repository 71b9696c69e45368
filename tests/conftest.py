"""Fixtures that the whole suite shares."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on real archives say why they do not run."""
    if os.environ.get("ZFNET_REAL_DATA"):
        return
    reason = "ZFNET_REAL_DATA is unset: name the folder of the real archives to run the tests on them"
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real archives."""
    return Path(os.environ["ZFNET_REAL_DATA"])


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
