"""memcached: many connections, pipelining, large values, cut and idle connections, and every value checked."""

import contextlib
import os
import re
import resource
import signal
import socket
import tempfile
import time

from harness import PATIENCE, Missing, check, check_library, connects, free_port, program, until

MANY = 4000
# How many ask at the same time where instructions are counted.
ASKING = 400


class Lines:
    """A connection that is read by lines and by counts."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        return self.file.readline()

    def close(self):
        self.file.close()
        self.socket.close()


def value_of(key, length):
    return (f"<{key}>".encode() * (length // (len(str(key)) + 2) + 1))[:length]


def store_and_check(connection, first, count, length):
    """Stores some values, all at once, and reads them again, all at once."""
    connection.send(b"".join(
        b"set k%d 0 0 %d\r\n%s\r\n" % (key, length, value_of(key, length)) for key in range(first, first + count)))
    for _ in range(count):
        check(connection.line() == b"STORED\r\n", "a value was not stored")
    connection.send(b"".join(b"get k%d\r\n" % key for key in range(first, first + count)))
    for key in range(first, first + count):
        check_value(connection, key, length)
    return 2 * count


def check_value(connection, key, length):
    check(connection.line() == b"VALUE k%d 0 %d\r\n" % (key, length), "no value")
    check(connection.file.read(length + 2) == value_of(key, length) + b"\r\n", "another value")
    check(connection.line() == b"END\r\n", "no end")


def command(port, connections, *more):
    return ("memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-c", str(connections), "-m", "256",
            "-I", "4m", *more)


def memcached(on):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < MANY + 500:
        raise Missing(f"it needs {MANY + 500} descriptors (ulimit -n)")
    port = free_port()
    with program(on, *command(port, MANY + 1000, "-t", "2")) as child:
        until(lambda: connects(port), "memcached")
        check_library(child.pid, on)
        operations = 0
        # Fifty, pipelined.
        few = [Lines(port) for _ in range(50)]
        start = time.monotonic()
        for _ in range(12):
            for number, connection in enumerate(few):
                operations += store_and_check(connection, number * 100, 40, 100)
        seconds = time.monotonic() - start
        # Large values, over many reads and writes.
        operations += store_and_check(few[0], 900_000, 3, 3_000_000)
        operations += crowd(port)
        operations += store_and_check(Lines(port), 1, 20, 64)
    close_idle(on)
    return operations, seconds


def crowd(port):
    """Four thousand connections; a third is cut in the middle of a request."""
    operations = 0
    many = [Lines(port) for _ in range(MANY)]
    for number, connection in enumerate(many):
        if number % 3 == 0:
            connection.send(b"set cut%d 0 0 1000\r\nhalf" % number)
            connection.close()
    for number, connection in enumerate(many):
        if number % 3:
            operations += store_and_check(connection, 10_000 + number, 1, 50)
    for number, connection in enumerate(many):
        if number % 3:
            connection.close()
    return operations


def close_idle(on):
    """A memcached of its own: on a busy machine, any connection may be idle for so long."""
    port = free_port()
    with program(on, *command(port, 1024, "-o", "idle_timeout=1")):
        until(lambda: connects(port), "memcached")
        idle = [Lines(port) for _ in range(20)]
        for connection in idle:
            check(connection.line() == b"", "an idle connection lives")
            connection.close()


def memcached_instructions(on):
    """User instructions a get, with 400 connections that ask at the same time: the difference of two runs."""
    few, many = instructions(on, 10), instructions(on, 50)
    return (many - few) / (40 * ASKING)


def states(child):
    """Of its threads: S, sleeping; T, stopped."""
    for thread in os.listdir(f"/proc/{child.pid}/task"):
        with open(f"/proc/{child.pid}/task/{thread}/stat") as stat:
            yield stat.read().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def stopped(child):
    """It finds all that is sent meanwhile in one wait, however busy the machine is. (The stop ends a wait of each thread for
    nothing: that is counted, too, and little for each of so many.)"""
    until(lambda: set(states(child)) == {"S"}, "the end of memcached's work", interval=0.001)
    child.send_signal(signal.SIGSTOP)
    until(lambda: set(states(child)) == {"T"}, "memcached's stop", interval=0.001)
    yield
    child.send_signal(signal.SIGCONT)


def instructions(on, rounds):
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        # Without the threads that look around by the clock, whose share depends on how long it takes.
        # valgrind lets a program set the limit that it has already, and memcached sets one.
        valgrind = ("prlimit", "--nofile=1024:4096", "valgrind", "-q", "--tool=callgrind",
                    f"--callgrind-out-file={folder}/out")
        with program(on, *valgrind, *command(port, 1024, "-t", "1", "-o", "no_lru_maintainer,no_lru_crawler")) as child:
            until(lambda: connects(port), "memcached under valgrind")
            check_library(child.pid, on)
            connections = [Lines(port) for _ in range(ASKING)]
            store_and_check(connections[0], 1, 1, 100)
            for _ in range(rounds):
                with stopped(child):
                    for connection in connections:
                        connection.send(b"get k1\r\n")
                for connection in connections:
                    check_value(connection, 1, 100)
            for connection in connections:
                connection.close()
            # It writes its file and ends.
            child.terminate()
            child.wait(PATIENCE)
            with open(f"{folder}/out") as out:
                count = int(re.search(r"^(?:summary|totals): (\d+)", out.read(), re.M).group(1))
            child.poll = lambda: None
    return count
