"""opensmtpd: mail that its processes accept, and sessions that are cut."""

import os
import smtplib
import socket
import tempfile
import time

from harness import PATIENCE, Missing, check_library, connects, free_port, program, run, until


def opensmtpd(on):
    if os.geteuid() != 0:
        raise Missing("smtpd runs as root alone")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(f"{folder}/conf", "w") as conf:
            conf.write(f"""listen on 127.0.0.1 port {port}
action "kept" maildir "{folder}/mail-%{{rcpt.user}}"
match from any for any action "kept"
""")
        os.chmod(f"{folder}/conf", 0o644)
        with program(on, "smtpd", "-d", "-f", f"{folder}/conf") as child:
            until(lambda: connects(port), "smtpd")
            check_library(child.pid, on)
            until(lambda: len(run("pgrep", "-g", str(child.pid)).split()) >= 6, "all of smtpd's processes")
            accepted = 0
            start = time.monotonic()
            for _ in range(4):
                with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
                    for number in range(25):
                        client.sendmail("a@localhost", ["root@localhost"], f"Subject: {number}\r\n\r\n{'x' * 500}\r\n")
                        accepted += 1
            seconds = time.monotonic() - start
            # Cut in the middle. (After more of them smtpd waits for five seconds, on libevent too.)
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                    client.recv(100)
                    client.sendall(b"EHLO x\r\nMAIL FROM:<a")
            with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
                client.sendmail("a@localhost", ["root@localhost"], "Subject: last\r\n\r\nx\r\n")
            return accepted + 1, seconds
