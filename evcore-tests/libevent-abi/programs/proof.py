#!/usr/bin/env python3
"""Programs that nobody here wrote, on libevent and on evcore in turn. Called by .ci/libevent-abi.

    proof.py LIBRARIES [PROGRAM...]

LIBRARIES is a folder with libevent-2.1.so.7, libevent_core-2.1.so.7 and libevcore_libevent.so. Everything stays on the loopback, and
each wait has an end. A program is right when every answer is what it must be; a table says so at the end.
"""

import contextlib
import os
import pty
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

LIBRARIES = os.path.abspath(sys.argv[1])
LIBEVENT, OURS = "libevent", "evcore"
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
    """One that is free for TCP and for UDP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind(("127.0.0.1", 0))
            port = stream.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                with contextlib.suppress(OSError):
                    datagrams.bind(("127.0.0.1", port))
                    return port


def until(condition, what, seconds=20):
    """Asks until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"waited in vain for: {what}")
        time.sleep(0.02)


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def environment(on, upper):
    """The library comes before libevent's; for programs that use more than the core, beside it."""
    env = dict(os.environ)
    if on == OURS and upper:
        env["LD_PRELOAD"] = f"{LIBRARIES}/libevcore_libevent.so"
    elif on == OURS:
        env["LD_LIBRARY_PATH"] = LIBRARIES
    return env


def check_library(pid, on, upper=False):
    """That it is the library that we mean."""
    with open(f"/proc/{pid}/maps") as maps:
        is_ours = LIBRARIES in maps.read()
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
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            pass
        # What it has started is in its session.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)
        log.close()


def said(child):
    child.log.seek(0)
    return child.log.read()[-1500:]


def run(*command, seconds=60, ok=(0,), **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds, **options)
    check(done.returncode in ok, f"{' '.join(command)}: {done.stdout[-800:]}")
    return done.stdout


# memcached -----------------------------------------------------------------------------------------------------------


class Lines:
    """A connection that is read by lines and by counts."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
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
        check(connection.line() == b"VALUE k%d 0 %d\r\n" % (key, length), "no value")
        check(connection.file.read(length + 2) == value_of(key, length) + b"\r\n", "another value")
        check(connection.line() == b"END\r\n", "no end")
    return 2 * count


def memcached_command(port, connections, *more):
    return ("memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-c", str(connections), "-m", "256",
            "-I", "4m", *more)


def memcached(on):
    port = free_port()
    with program(on, *memcached_command(port, 5000, "-t", "2", "-o", "idle_timeout=10")) as child:
        until(lambda: connects(port), "memcached")
        check_library(child.pid, on)
        idle = Lines(port)
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
        # Four thousand connections; a third is cut in the middle of a request.
        many = [Lines(port) for _ in range(4000)]
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
        operations += store_and_check(Lines(port), 1, 20, 64)
        # The idle one is closed by memcached, the others are too.
        check(idle.line() == b"", "an idle connection lives")
        return operations, seconds


def memcached_instructions(on):
    """User instructions a get, with 50 connections that ask all the time: the difference of two runs."""
    counts = []
    for rounds in (40, 240):
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            # valgrind lets a program set the limit that it has already, and memcached sets one.
            command = ["prlimit", "--nofile=1024:4096", "valgrind", "-q", "--tool=callgrind",
                       f"--callgrind-out-file={folder}/out", *memcached_command(port, 1024, "-t", "1")]
            with program(on, *command) as child:
                until(lambda: connects(port), "memcached under valgrind", 60)
                check_library(child.pid, on)
                connections = [Lines(port, 60) for _ in range(50)]
                store_and_check(connections[0], 1, 1, 100)
                for _ in range(rounds):
                    for connection in connections:
                        connection.send(b"get k1\r\n")
                    for connection in connections:
                        check(connection.line() == b"VALUE k1 0 100\r\n", "no value")
                        check(connection.file.read(102) == value_of(1, 100) + b"\r\n", "another value")
                        check(connection.line() == b"END\r\n", "no end")
                for connection in connections:
                    connection.close()
                # It writes its file and ends.
                child.terminate()
                child.wait(60)
                with open(f"{folder}/out") as out:
                    counts.append(int(re.search(r"^(?:summary|totals): (\d+)", out.read(), re.M).group(1)))
                child.poll = lambda: None
    return (counts[1] - counts[0]) / 10_000


# DNS -----------------------------------------------------------------------------------------------------------------


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def question(number, text, kind=1, recursion=0):
    return struct.pack(">HHHHHH", number, 0x100 * recursion, 1, 0, 0, 0) + name(text) + struct.pack(">HH", kind, 1)


def ask(port, number, text, kind=1, recursion=0, timeout=5):
    """One answer by UDP: how it went, how many records, and the last four bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect(("127.0.0.1", port))
        client.send(question(number, text, kind, recursion))
        try:
            reply = client.recv(4096)
        except OSError:
            return None
    got, flags, _, answers = struct.unpack(">HHHH", reply[:8])
    check(got == number, "another question's answer")
    return flags & 15, answers, reply


def ask_by_tcp(port, text, kind):
    """All messages of an answer by TCP, until the second SOA of a transfer."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        packet = question(7, text, kind)
        client.sendall(struct.pack(">H", len(packet)) + packet)
        stream = client.makefile("rb")
        records = 0
        while True:
            head = stream.read(2)
            if len(head) < 2:
                return records
            message = stream.read(struct.unpack(">H", head)[0])
            records += struct.unpack(">H", message[6:8])[0]
            if kind != 252 or records >= ZONE_RECORDS:
                return records


HOSTS = 500
# SOA twice, NS, the name server's address, the hosts.
ZONE_RECORDS = HOSTS + 4


def write_zone(path, serial):
    with open(path, "w") as zone:
        zone.write(f"$ORIGIN example.test.\n$TTL 60\n@ SOA ns hostmaster {serial} 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n")
        for host in range(HOSTS):
            zone.write(f"h{host} A 10.0.{host // 256}.{host % 256}\n")


def nsd(on):
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        write_zone(f"{folder}/zone", 1)
        with open(f"{folder}/conf", "w") as conf:
            conf.write(f"""server:
  ip-address: 127.0.0.1@{port}
  port: {port}
  username: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/pid"
  xfrdfile: "{folder}/xfrd"
  xfrdir: "{folder}"
  zonelistfile: "{folder}/list"
  server-count: 2
remote-control:
  control-enable: no
zone:
  name: example.test
  zonefile: zone
  provide-xfr: 127.0.0.1 NOKEY
""")
        with program(on, "nsd", "-d", "-c", f"{folder}/conf") as child:
            until(lambda: connects(port) and ask(port, 1, "h1.example.test") is not None, "nsd")
            check_library(child.pid, on)
            operations = 0
            start = time.monotonic()
            for number in range(10_000):
                host = number % HOSTS
                code, answers, reply = ask(port, number, f"h{host}.example.test")
                address = bytes([10, 0, host // 256, host % 256])
                check(code == 0 and answers == 1 and address in reply, "another address")
                operations += 1
            seconds = time.monotonic() - start
            code, _, _ = ask(port, 5, "nobody.example.test")
            check(code == 3, "a name that is not there")
            # Questions that are none.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                for length in range(60):
                    client.sendto(os.urandom(length), ("127.0.0.1", port))
            for _ in range(10):
                check(ask_by_tcp(port, "example.test", 252) == ZONE_RECORDS, "a transfer of another length")
                operations += 1
            # Cut in the middle.
            for _ in range(50):
                with socket.create_connection(("127.0.0.1", port), 5) as client:
                    client.send(b"\0\x20half")
            # A new zone.
            write_zone(f"{folder}/zone", 99)
            child.send_signal(signal.SIGHUP)

            def is_reloaded():
                answer = ask(port, 9, "example.test", 6)
                return answer is not None and struct.pack(">I", 99) in answer[2]

            until(is_reloaded, "the new zone")
            for number in range(500):
                check(ask(port, number, f"h{number}.example.test")[1] == 1, "no answer after the reload")
                operations += 1
            return operations, seconds


class Forwarder(threading.Thread):
    """Answers with an address, and loses each third question."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked = 0

    def run(self):
        while True:
            try:
                packet, client = self.socket.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            if self.asked % 3 == 0:
                continue
            end = packet.index(b"\0", 12) + 5
            kind = struct.unpack(">H", packet[end - 4:end - 2])[0]
            answers = 1 if kind == 1 else 0
            reply = packet[:2] + struct.pack(">HHHHH", 0x8580, 1, answers, 0, 0) + packet[12:end]
            if answers:
                reply += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([10, 9, 8, 7])
            self.socket.sendto(reply, client)


def unbound(on):
    port = free_port()
    forwarder = Forwarder()
    forwarder.start()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(f"{folder}/conf", "w") as conf:
            conf.write(f"""server:
  interface: 127.0.0.1
  port: {port}
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/pid"
  use-syslog: no
  do-daemonize: no
  num-threads: 2
  module-config: "iterator"
  do-not-query-localhost: no
  outgoing-range: 200
  local-zone: "local.test." static
""")
            for host in range(200):
                conf.write(f'  local-data: "h{host}.local.test. A 10.1.0.{host}"\n')
            conf.write(f"""remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{forwarder.port}
""")
        with program(on, "unbound", "-d", "-c", f"{folder}/conf") as child:
            until(lambda: ask(port, 1, "h1.local.test", timeout=0.3) is not None, "unbound")
            check_library(child.pid, on)
            operations = 0
            start = time.monotonic()
            for number in range(10_000):
                host = number % 200
                code, answers, reply = ask(port, number, f"h{host}.local.test", recursion=1)
                check(code == 0 and answers == 1 and reply.endswith(bytes([10, 1, 0, host])), "another address")
                operations += 1
            seconds = time.monotonic() - start
            # Through the forwarder: each is answered, though some questions are lost on the way and asked again.
            results = []

            def client(first):
                for number in range(first, first + 12):
                    answer = ask(port, number, f"x{number}.away.zz", recursion=1, timeout=30)
                    results.append(answer is not None and answer[0] == 0 and answer[2].endswith(bytes([10, 9, 8, 7])))

            clients = [threading.Thread(target=client, args=(100 * part,)) for part in range(10)]
            for each in clients:
                each.start()
            for each in clients:
                each.join()
            check(len(results) == 120 and all(results), f"{results.count(False)} questions have no answer")
            check(forwarder.asked > 120, "no question was asked again")
            forwarder.socket.close()
            return operations + len(results), seconds


# pgbouncer -----------------------------------------------------------------------------------------------------------


def pgbouncer(on):
    binaries = sorted(os.path.join(root, "bin") for root in
                      (os.path.join("/usr/lib/postgresql", version) for version in
                       (os.listdir("/usr/lib/postgresql") if os.path.isdir("/usr/lib/postgresql") else [])))
    if not binaries or os.geteuid() != 0:
        raise Missing("PostgreSQL is not installed, or this is not root")
    as_postgres = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    server, port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, "postgres")
        clean = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
        run(*as_postgres, f"{binaries[-1]}/initdb", "-D", f"{folder}/data", "-A", "trust", "--no-sync", env=clean)
        with open(f"{folder}/ini", "w") as ini:
            ini.write(f"""[databases]
bench = host=127.0.0.1 port={server} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
admin_users = postgres
pool_mode = transaction
default_pool_size = 5
max_client_conn = 200
server_idle_timeout = 1
logfile = {folder}/log
pidfile = {folder}/pid
""")
        with open(f"{folder}/users", "w") as users:
            users.write('"postgres" ""\n')
        postgres = (*as_postgres, f"{binaries[-1]}/postgres", "-D", f"{folder}/data", "-p", str(server),
                    "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", f"unix_socket_directories={folder}")
        with program(LIBEVENT, *postgres, cwd=folder):
            ready = (*as_postgres, "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(server), "-U", "postgres", "-c", "select 1")
            until(lambda: subprocess.run(ready, capture_output=True, cwd=folder, env=clean).returncode == 0, "PostgreSQL")
            with program(on, *as_postgres, "pgbouncer", f"{folder}/ini", cwd=folder) as child:
                until(lambda: connects(port), "pgbouncer")
                check_library(child.pid, on)

                def sql(text, database="bench", at=port):
                    return run(*as_postgres, "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(at), "-U", "postgres",
                               "-d", database, "-c", text, cwd=folder, env=clean)

                bench = (*as_postgres, f"{binaries[-1]}/pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres")
                run(*bench, "-i", "-q", "bench", cwd=folder, env=clean)
                start = time.monotonic()
                out = run(*bench, "-c", "20", "-j", "2", "-t", "100", "-n", "bench", cwd=folder, env=clean, seconds=120)
                seconds = time.monotonic() - start
                check("2000/2000" in out, "some transactions are missing")
                check(sql("select count(*) from pgbench_history").strip() == "2000", "another count")
                # While it pauses, questions wait.
                sql("pause bench", "pgbouncer")
                waiting = subprocess.Popen(
                    (*as_postgres, "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-d", "bench",
                     "-c", "select 42"), stdout=subprocess.PIPE, text=True, cwd=folder, env=clean)
                until(lambda: any("bench" in line and re.search(r"\|[1-9]\d*\|", line)
                                  for line in sql("show pools", "pgbouncer").splitlines()), "a client that waits")
                check(waiting.poll() is None, "the question did not wait")
                sql("resume bench", "pgbouncer")
                check(waiting.communicate(timeout=20)[0].strip() == "42", "another answer")
                sql("reload", "pgbouncer")
                child.send_signal(signal.SIGHUP)
                # Idle servers are closed.
                until(lambda: "bench" not in sql("show servers", "pgbouncer"), "the end of idle servers")
                check(sql("select 6*7").strip() == "42", "no answer after the idle timeout")
                return 2_003, seconds


# opensmtpd -----------------------------------------------------------------------------------------------------------


def opensmtpd(on):
    import smtplib

    if os.geteuid() != 0:
        raise Missing("smtpd runs as root alone")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(f"{folder}/conf", "w") as conf:
            conf.write(f"""listen on 127.0.0.1 port {port}
action "none" expand-only alias <nobody>
action "kept" maildir "{folder}/mail-%{{rcpt.user}}"
table nobody {{ nobody = nobody }}
match from any for any action "kept"
""".replace('action "none" expand-only alias <nobody>\n', "").replace('table nobody { nobody = nobody }\n', ""))
        os.chmod(f"{folder}/conf", 0o644)
        with program(on, "smtpd", "-d", "-f", f"{folder}/conf") as child:
            until(lambda: connects(port), "smtpd")
            check_library(child.pid, on)
            children = run("pgrep", "-g", str(child.pid)).split()
            check(len(children) >= 6, "not all of its processes run")
            accepted = 0
            start = time.monotonic()
            for _ in range(4):
                with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                    for number in range(25):
                        client.sendmail("a@localhost", ["root@localhost"], f"Subject: {number}\r\n\r\n{'x' * 500}\r\n")
                        accepted += 1
            seconds = time.monotonic() - start
            # Cut in the middle. (After more of them smtpd waits for five seconds, on libevent too.)
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", port), 30) as client:
                    client.recv(100)
                    client.sendall(b"EHLO x\r\nMAIL FROM:<a")
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                client.sendmail("a@localhost", ["root@localhost"], "Subject: last\r\n\r\nx\r\n")
            return accepted + 1, seconds


# tmux ----------------------------------------------------------------------------------------------------------------


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
            end = time.monotonic() + 60
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
            until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid or drained(terminal), "the end of the client")
            os.close(terminal)
            command("run-shell", "true")
            return 200_000, seconds
        finally:
            command("kill-server", ok=(0, 1))


def drained(terminal):
    with contextlib.suppress(OSError):
        os.read(terminal, 65536)
    return False


# coturn --------------------------------------------------------------------------------------------------------------


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
            with program(LIBEVENT, "turnutils_peer", "-L", "127.0.0.1", "-p", str(peer)):
                messages = 0
                start = time.monotonic()
                for more in ((), ("-t",)):
                    out = run("turnutils_uclient", "-u", "u", "-w", "p", "-n", "50", "-m", "8", "-e", "127.0.0.1",
                              "-r", str(peer), "-p", str(port), *more, "127.0.0.1", seconds=90)
                    sent = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", out)
                    check(sent and sent[-1][0] == sent[-1][1] and int(sent[-1][0]) > 0, f"messages are lost: {out[-400:]}")
                    messages += int(sent[-1][0])
                return messages, time.monotonic() - start


# The table -----------------------------------------------------------------------------------------------------------

PROGRAMS = [memcached, nsd, unbound, pgbouncer, opensmtpd, tmux, coturn]
INSTRUCTIONS = {"memcached": memcached_instructions}


def main():
    chosen = sys.argv[2:] or [each.__name__ for each in PROGRAMS]
    rows, failed = [], []
    for each in PROGRAMS:
        title = each.__name__
        if title not in chosen:
            continue
        cells = {}
        try:
            # In turn, three times each: the best one counts.
            for on in (LIBEVENT, OURS) * 3:
                operations, seconds = each(on)
                cells[on] = min(cells.get(on, (operations, seconds)), (operations, seconds), key=lambda cell: cell[1])
            counts = None
            if title in INSTRUCTIONS and shutil.which("valgrind"):
                counts = [INSTRUCTIONS[title](on) for on in (LIBEVENT, OURS)]
            ratio = cells[LIBEVENT][1] / cells[OURS][1]
            cost = f"{counts[0]:.0f} and {counts[1]:.0f}: {counts[1] / counts[0]:.3f}" if counts else "-"
            rows.append((title, f"{cells[OURS][0]}, all right", f"{ratio:.2f}", cost))
        except Missing as missing:
            rows.append((title, f"not run: {missing}", "-", "-"))
        except (Wrong, OSError, subprocess.SubprocessError) as wrong:
            failed.append(title)
            rows.append((title, f"WRONG on {LIBEVENT if OURS not in cells and LIBEVENT not in cells else OURS}", "-", "-"))
            print(f"{title}: {wrong}", file=sys.stderr)
        print(f"# {' | '.join(rows[-1])}", flush=True)
    print("\n| program | answers | throughput on evcore / on libevent | user instructions an operation |")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
