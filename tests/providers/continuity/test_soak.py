"""A few of the calls with random faults; `soak` has as many as one likes."""

import pytest

from tests.providers.continuity.soak import check


@pytest.mark.parametrize("seed", range(6))
def test_a_call_with_random_faults_goes_on(seed: int) -> None:
    assert check(seed) == []
