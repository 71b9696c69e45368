"""Fixtures that the whole suite shares."""

import os
import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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


@pytest.fixture
def full_disk() -> AbstractContextManager[None]:
    """A block in which no file can grow beyond a few bytes, which is as near to a full disk as a test can come."""

    @contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
