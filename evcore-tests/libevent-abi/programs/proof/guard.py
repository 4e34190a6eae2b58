"""Runs the proof in a child, and ends every process that is left of it, however either of them ends."""

import contextlib
import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# `timeout --kill-after` of .ci/run waits for 10 seconds.
PATIENCE = 6


def ends_with_parent(parent):
    """This process gets SIGTERM when its parent ends, and then runs its `finally` blocks."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(143)


def guarded(work):
    """The exit status of `work`. Daemons leave their parent and its process group; as a subreaper, this process becomes the
    parent of each that is left alone, so all of them can be found."""
    ends_with_parent(os.getppid())
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with contextlib.suppress(PermissionError):
        # A signal to the script's process group must not end this process before the others.
        os.setsid()
    guard = os.getpid()
    worker = os.fork()
    if worker == 0:
        ends_with_parent(guard)
        sys.exit(work())
    try:
        return wait_for(worker)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_all(worker)


def wait_for(worker):
    while True:
        pid, status = os.wait()
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def end_all(worker):
    """The worker first, which ends daemons as they like it; then each process that is left."""
    end = time.monotonic() + PATIENCE
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, signal.SIGTERM)
    while left := descendants():
        for pid in left if worker not in left or time.monotonic() > end else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.02)


def descendants():
    """All processes that this one has begun, and those have begun."""
    children = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit():
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry))
    found = []
    last = children.get(os.getpid(), [])
    while last:
        found += last
        last = [child for pid in last for child in children.get(pid, [])]
    return found
