"""The fixture that runs one contract over both servers."""

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
