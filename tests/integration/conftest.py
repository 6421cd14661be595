"""The fixtures that start servers: both in turn, and prefork_server with threads, for one contract over all, or async_server."""

import pytest

from servers import AsyncServer, GthreadServer, PreforkServer


@pytest.fixture(params=[AsyncServer, PreforkServer, GthreadServer], ids=["async_server", "prefork_server", "gthread"])
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
