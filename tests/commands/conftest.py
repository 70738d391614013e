"""Connections of a test's own."""

import pytest
from connections import Connection


@pytest.fixture
def connect(server):
    """Makes connections to the server, whose store is emptied first: connect() or connect(protocol)."""
    opened = []

    def connect(protocol=2):
        opened.append(Connection(server.port, protocol))
        return opened[-1]

    connect().cmd("FLUSHALL")
    yield connect
    for connection in opened:
        connection.close()
