"""Workers that are killed at any instant leave a store that is right."""

import pytest
from kill_workers import run


@pytest.mark.parametrize("io", ["nginx", "prefork", "fork"])
def test_killed_workers(io):
    figures = run(io, kills=25, seed=7)
    assert figures["connections broken"] > 0
