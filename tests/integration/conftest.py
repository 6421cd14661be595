"""The fixtures that start servers: both in turn, for one contract over both, or async_server."""

import pytest

from servers import AsyncServer, PreforkServer


@pytest.fixture(params=[AsyncServer, PreforkServer], ids=["async_server", "prefork_server"])
def start_server(request):
    """start_server(*arguments) starts the server of this parameter; all are stopped at the end of the test."""
    running = []

    def start(*arguments, **more):
        server = request.param(*arguments, **more)
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def start():
    """start(*arguments) starts an async_server; all are stopped at the end of the test. Some modules have a `start` of their own."""
    running = []

    def start_one(*arguments, **more):
        server = AsyncServer(*arguments, **more)
        running.append(server)
        return server

    yield start_one
    for server in running:
        server.stop()
