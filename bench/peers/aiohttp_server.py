#!/usr/bin/python3
"""The lab's answer by aiohttp, on asyncio's own loop or on uvloop.

usage: aiohttp_server.py PORT [asyncio|uvloop [SLEEP_SECONDS]]
"""

import asyncio
import sys

from aiohttp import web

port = int(sys.argv[1])
loop = sys.argv[2] if len(sys.argv) > 2 else "asyncio"
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0
if loop == "uvloop":
    import uvloop
    uvloop.install()


async def hello(_request):
    if seconds > 0:
        await asyncio.sleep(seconds)
    return web.Response(text="Hello, Anonymous")


application = web.Application()
application.add_routes([web.get("/", hello)])
web.run_app(application, host="127.0.0.1", port=port, backlog=4096, keepalive_timeout=3600, access_log=None,
            print=None)
