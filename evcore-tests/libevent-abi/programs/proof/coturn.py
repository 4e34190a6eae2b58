"""coturn: threads with libevent's locks, bufferevents; messages that it relays, by UDP and by TCP at once."""

import re
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from harness import LIBEVENT, Missing, check, check_library, connects, free_port, program, run, until

CLIENTS, MESSAGES = 8, 50


def coturn(on):
    for tool in ("turnserver", "turnutils_uclient", "turnutils_peer"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not installed")
    port, peer = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = ("turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}",
                  "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers", "--lt-cred-mech", "--user=u:p",
                  "--realm=r.test", f"--pidfile={folder}/pid", "--log-file=stdout", f"--userdb={folder}/db",
                  "--relay-threads=4")
        with program(on, *server, upper=True, cwd=folder) as child:
            until(lambda: connects(port), "turnserver")
            check_library(child.pid, on)
            with program(LIBEVENT, "turnutils_peer", "-L", "127.0.0.1", "-p", str(peer)), ThreadPoolExecutor() as pool:
                start = time.monotonic()
                counts = pool.map(lambda more: relay(port, peer, *more), ((), ("-t",)))
                return sum(counts), time.monotonic() - start


def relay(port, peer, *more):
    """How many messages have come back."""
    out = run("turnutils_uclient", "-u", "u", "-w", "p", "-n", str(MESSAGES), "-m", str(CLIENTS), "-e", "127.0.0.1",
              "-r", str(peer), "-p", str(port), *more, "127.0.0.1")
    sent, came = map(int, re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", out)[-1])
    # The relay speaks UDP with the peer, which may lose one on a busy machine.
    check(sent == CLIENTS * MESSAGES and came >= sent * 0.99, f"messages are lost: {out[-400:]}")
    return came
