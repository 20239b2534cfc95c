"""
`hanpuri` without the time that its imports take, in which a suite of hundreds of commands else spends minutes.

In: what a command is given: arguments, folder, environment, standard streams. Out: its exit code. One process imports
the command line and is forked for each command, which so is a process of its own as ever, and has loaded no more than
every command has when it begins. Standard library alone, as this file is also the command that asks for the fork:

    with warm_hanpuri() as command:
        subprocess.run([*command, "restore", "확잠실읾"])
"""

import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def warm_hanpuri(**environment: str) -> Iterator[list[str]]:
    """Start the process that is forked, and give the command; PYTHON… of its environment hold for all forks."""
    folder = tempfile.mkdtemp(prefix="hanpuri-")  # a short path, as those of sockets have to be
    address = f"{folder}/socket"
    server = subprocess.Popen(
        [sys.executable, __file__, address, "--serve"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        assert server.stdout
        with server.stdout as told:
            assert told.readline() == b"ready\n"
        yield [sys.executable, "-I", "-S", __file__, address]
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def serve(address: str) -> None:
    """Fork for whoever asks: a process that waits and tells the exit code, and of it the one that is the command."""
    import hanpuri.cli.app  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                break
            connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    command = os.fork()
    if command:
        for stream in streams:
            os.close(stream)
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        connection.sendall(b"%d" % (code if code >= 0 else 128 - code))
        os._exit(0)
    with connection, connection.makefile() as lines:
        told = json.loads(lines.readline())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv = ["hanpuri", *told["arguments"]]
    sys.path[0] = told["folder"]
    runpy.run_module("hanpuri", run_name="__main__", alter_sys=True)


def ask(address: str, arguments: list[str]) -> int:
    """Ask for a command that has our streams, and wait for its exit code."""
    told = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"!"], [0, 1, 2])
        connection.sendall(json.dumps(told).encode() + b"\n")
        for stream in (0, 1):  # a reader or a writer of ours is left as soon as the command leaves it
            os.close(stream)
        return int(connection.recv(4))


if __name__ == "__main__":
    if sys.argv[2:] == ["--serve"]:
        serve(sys.argv[1])
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
