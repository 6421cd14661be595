"""The lab's server as a user of aiohttp would write it, to hold async_server's answers against its."""

import argparse
import asyncio
import socket

from aiohttp import WSMsgType, web

SLEEP = 0.001  # seconds


async def hello(request):
    await request.read()
    await asyncio.sleep(float(request.query.get("sleep", SLEEP)))
    return web.Response(text="Hello, Anonymous")


async def echo(request):
    content_type = request.headers.get("Content-Type", "application/octet-stream")
    response = web.StreamResponse(headers={"Content-Type": content_type})
    response.content_length = request.content_length if request.body_exists else 0
    await response.prepare(request)
    if request.body_exists:  # iter_chunks does not end on a body that is not there
        async for piece, _ in request.content.iter_chunks():
            if piece and request.method != "HEAD":
                await response.write(piece)
    return response


async def websocket(request):
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        if message.type == WSMsgType.TEXT:
            await response.send_str(message.data)
    return response


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1:8088", metavar="HOST:PORT")
    host, _, port = parser.parse_args().bind.rpartition(":")
    application = web.Application()
    application.add_routes([web.route("*", "/echo", echo), web.get("/ws", websocket),
                            web.get("/", hello), web.get("/{name}", hello)])
    listening = socket.create_server((host, int(port)))  # its own socket, so that the banner names the port
    web.run_app(application, sock=listening)


if __name__ == "__main__":
    main()
