"""The loop of the API takes whoever waits, at once."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import cast

from serving.limits.accepting import GreedyLoop

_CROWD = 200


class _Greeting(asyncio.Protocol):
    met = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        _Greeting.met += 1
        cast(asyncio.Transport, transport).write(b"!")  # uvloop's transports are none of asyncio's


def test_all_who_wait_are_taken_within_a_few_turns() -> None:
    async def turns_until_all_are_met() -> int:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Greeting, "127.0.0.1", 0, backlog=_CROWD)
        address = server.sockets[0].getsockname()
        with ExitStack() as crowd:
            waiting = [crowd.enter_context(socket.create_connection(address)) for _ in range(_CROWD)]
            turns = 0
            while _Greeting.met < _CROWD and turns < _CROWD:  # uvloop by itself takes one in each
                await asyncio.sleep(0)
                turns += 1
            await loop.run_in_executor(None, lambda: [each.recv(1) for each in waiting])
        server.close()
        await server.wait_closed()
        return turns

    _Greeting.met = 0
    with asyncio.Runner(loop_factory=GreedyLoop) as runner:
        assert runner.run(turns_until_all_are_met()) < 20


def test_a_server_that_closed_takes_nobody_and_keeps_whom_it_has() -> None:
    async def after_closing() -> tuple[bytes, bool]:
        loop = asyncio.get_running_loop()

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()

        def served() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(), echo)

        server = await loop.create_server(served, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address)
        await asyncio.sleep(0.05)
        server.close()
        await asyncio.sleep(0)
        try:
            _, late = await asyncio.open_connection(*address)
        except ConnectionRefusedError:
            refused = True
        else:
            late.close()
            refused = False
        writer.write(b"still here\n")
        answer = await reader.readline()
        writer.close()
        await server.wait_closed()
        return answer, refused

    with asyncio.Runner(loop_factory=GreedyLoop) as runner:
        assert runner.run(after_closing()) == (b"still here\n", True)


_FEW_FILES = """
import asyncio, resource, sys
from serving.limits.accepting import GreedyLoop

class Greeting(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"!")

async def serve():
    server = await asyncio.get_running_loop().create_server(Greeting, "127.0.0.1", 0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()

with asyncio.Runner(loop_factory=GreedyLoop) as runner:
    runner.run(serve())
"""


def test_without_files_for_more_it_goes_on_when_there_are_some() -> None:
    command = [sys.executable, "-c", _FEW_FILES]
    with (
        subprocess.Popen(command, stdin=-1, stdout=subprocess.PIPE, text=True) as process,
        ExitStack() as crowd,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        address = ("127.0.0.1", int(process.stdout.readline()))
        first, later = (
            [crowd.enter_context(socket.create_connection(address, timeout=20)) for _ in range(number)]
            for number in (40, 10)
        )
        time.sleep(0.2)
        for connection in first:
            connection.close()
        assert [connection.recv(1) for connection in later] == [b"!"] * 10
        process.stdin.close()
        assert process.wait(20) == 0
