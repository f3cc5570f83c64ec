"""A WebSocket server that sends back each message: echo.py PORT."""
import asyncio
import sys
from typing import Any

import websockets


async def echo(connection: Any, path: str = '') -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    async with websockets.serve(echo, '127.0.0.1', int(sys.argv[1]), max_size=16 << 20):
        await asyncio.Future()


asyncio.run(main())
