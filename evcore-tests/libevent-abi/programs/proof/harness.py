"""What each proof uses: free ports, bounded waits, programs that run on one library or the other."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIBRARIES = os.path.abspath(sys.argv[1])
LIBEVENT, OURS = "libevent", "evcore"
# How long an answer may take. It is there at once, unless the machine is busy.
PATIENCE = 60
# Where Debian keeps the daemons.
os.environ["PATH"] += ":/usr/sbin:/sbin"


class Wrong(Exception):
    """An answer that is not what it must be."""


class Missing(Exception):
    """The program cannot be run here."""


def check(is_right, what):
    if not is_right:
        raise Wrong(what)


def free_port():
    """One that is free for TCP and for UDP. The system takes no port from this range by itself, for a connection, say."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as both:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                both.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", port))
            return port


def until(condition, what, seconds=PATIENCE, interval=0.02):
    """Asks until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"waited in vain for: {what}")
        time.sleep(interval)


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def environment(on, upper=False):
    """The library comes before libevent's; for programs that use more than the core, beside it."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
    if on == OURS and upper:
        env["LD_PRELOAD"] = f"{LIBRARIES}/libevcore_libevent.so"
    elif on == OURS:
        env["LD_LIBRARY_PATH"] = LIBRARIES
    return env


def check_library(pid, on):
    """That it is the library that we mean."""
    with open(f"/proc/{pid}/maps") as maps:
        is_ours = f"{LIBRARIES}/lib" in maps.read()
    check(is_ours == (on == OURS), f"process {pid} runs on the wrong library")


@contextlib.contextmanager
def program(on, *command, upper=False, **options):
    """Runs until the block is over."""
    if shutil.which(command[0]) is None:
        raise Missing(f"{command[0]} is not installed")
    log = tempfile.TemporaryFile("w+")
    child = subprocess.Popen(command, env=environment(on, upper), stdin=subprocess.DEVNULL, stdout=log,
                             stderr=subprocess.STDOUT, start_new_session=True, **options)
    child.log = log
    try:
        yield child
        check(child.poll() is None, f"{command[0]} has ended by itself: {said(child)}")
    except Wrong as wrong:
        raise Wrong(f"{wrong}\n{said(child)}") from None
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
        # What it has started is in its session.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        log.close()


def said(child):
    child.log.seek(0)
    return child.log.read()[-1500:]


def run(*command, seconds=2 * PATIENCE, ok=(0,), **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds, **options)
    check(done.returncode in ok, f"{' '.join(command)}: {done.stdout[-800:]}")
    return done.stdout
