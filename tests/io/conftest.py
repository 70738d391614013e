"""Servers and connections of a test's own."""

from contextlib import ExitStack

import pytest
from connections import Connection
from processes import ServerProcess

import minikv


@pytest.fixture
def opened():
    """What is to be closed after the test, the last first."""
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def serve(opened):
    """Starts servers in this process: serve(**settings)."""
    return lambda **settings: opened(minikv.Server(port=0, **settings))


@pytest.fixture
def spawn(opened):
    """Starts servers in processes of their own: spawn(**settings)."""
    return lambda **settings: opened(ServerProcess(**settings))


@pytest.fixture
def connect(opened):
    """Makes connections: connect(place, protocol)."""
    return lambda *args: opened(Connection(*args))
