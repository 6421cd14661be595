#!/usr/bin/python3
"""The lab's handler under the real aiohttp: what async_server mirrors."""

import argparse
import asyncio
import time

from aiohttp import web


def make_handler(seconds, blocking):
    """A handler that waits: on a timer of the loop, or in the loop's own thread."""

    async def hello(_request):
        if blocking:
            time.sleep(seconds)
        else:
            await asyncio.sleep(seconds)
        return web.Response(text="Hello, Anonymous")

    return hello


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1:8088", metavar="HOST:PORT")
    parser.add_argument("--sleep", type=float, default=0.1, metavar="SECONDS")
    parser.add_argument("--blocking", action="store_true", help="call time.sleep in the coroutine")
    options = parser.parse_args()
    host, _, port = options.bind.rpartition(":")
    handler = make_handler(options.sleep, options.blocking)
    application = web.Application()
    application.add_routes([web.get("/", handler), web.get("/{name}", handler)])
    web.run_app(application, host=host, port=int(port))


if __name__ == "__main__":
    main()
