"""Messages to an echo and back, small ones, one of a megabyte, and many at once: websocket_client.py URL."""
import asyncio
import json
import sys

import websockets


async def main() -> None:
    sent = [f'message {n}' for n in range(100)] + [bytes(n * 7 % 256 for n in range(1 << 20)), b'', 'ü' * 1000]
    async with websockets.connect(sys.argv[1], max_size=16 << 20) as socket:
        exact = 0
        for message in sent:
            await socket.send(message)
            exact += await socket.recv() == message
        for message in sent:
            await socket.send(message)
        at_once = [await socket.recv() for _ in sent] == sent
        await (await socket.ping())
    messages = 'all exact' if exact == len(sent) and at_once else f'{exact} of {len(sent)} exact, at once: {at_once}'
    print(json.dumps({'messages': messages, 'close': str(socket.close_code)}))


asyncio.run(main())
