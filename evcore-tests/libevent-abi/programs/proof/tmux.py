"""tmux: fork and event_reinit, a client that attaches, many lines, keys."""

import contextlib
import os
import pty
import selectors
import shutil
import tempfile
import time

from harness import PATIENCE, Missing, check, check_library, environment, run, until


def tmux(on):
    if shutil.which("tmux") is None:
        raise Missing("tmux is not installed")
    with tempfile.TemporaryDirectory() as folder:
        env = environment(on, upper=True)
        env |= {"TMUX_TMPDIR": folder, "TERM": "xterm", "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh"}
        env.pop("TMUX", None)

        def command(*words, ok=(0,)):
            return run("tmux", "-f", "/dev/null", *words, env=env, ok=ok)

        command("new-session", "-d", "-s", "s", "-x", "100", "-y", "30", "sh")
        try:
            server = command("display-message", "-p", "#{pid}").strip()
            check_library(server, on)
            command("set-option", "-g", "history-limit", "250000")
            # The lines are for a window that is made with that limit, and that a client looks at.
            start = time.monotonic()
            command("new-window", "-n", "lines", "seq 1 200000; echo done-$((1+1)); exec sleep 1000")
            pid, terminal = pty.fork()
            if pid == 0:
                os.execvpe("tmux", ["tmux", "-f", "/dev/null", "attach", "-t", "s"], env)
            reader = selectors.DefaultSelector()
            reader.register(terminal, selectors.EVENT_READ)
            seen = b""
            end = time.monotonic() + 2 * PATIENCE
            while b"done-2" not in seen[-4000:]:
                check(time.monotonic() < end, "the client shows no end")
                if reader.select(1):
                    seen += os.read(terminal, 65536)
                command("has-session", "-t", "s")
            seconds = time.monotonic() - start
            lines = command("capture-pane", "-p", "-S", "-", "-t", "s:lines").split()
            check(lines[:200_000] == [str(number) for number in range(1, 200_001)], "lines are missing, or others")
            # Keys go the other way; the client leaves, and another comes.
            command("new-window", "-n", "shell", "sh")
            command("send-keys", "-t", "s:shell", "echo got-$((20+22))", "Enter")
            until(lambda: "got-42" in command("capture-pane", "-p", "-t", "s:shell"), "the shell's answer")
            command("detach-client", "-s", "s")
            os.set_blocking(terminal, False)
            until(lambda: has_ended(pid, terminal), "the end of the client")
            os.close(terminal)
            command("run-shell", "true")
            return 200_000, seconds
        finally:
            command("kill-server", ok=(0, 1))


def has_ended(pid, terminal):
    """It may wait for its last output to be read."""
    with contextlib.suppress(OSError):
        os.read(terminal, 65536)
    return os.waitpid(pid, os.WNOHANG)[0] == pid
