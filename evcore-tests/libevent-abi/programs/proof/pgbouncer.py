"""pgbouncer before a PostgreSQL of its own: pgbench through it, pause and resume, reload, the end of idle servers."""

import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from harness import (LIBEVENT, PATIENCE, Missing, Wrong, check, check_library, connects, environment, free_port, program, run,
                     until)

AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
TRANSACTIONS = 2000


def pgbouncer(on):
    tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not tools or os.geteuid() != 0:
        raise Missing("PostgreSQL is not installed, or this is not root")
    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, "postgres")
        with database(folder, tools[-1]) as server:
            port = free_port()
            write_configuration(folder, port, server)
            with program(on, *AS_POSTGRES, "pgbouncer", f"{folder}/ini", cwd=folder) as child:
                until(lambda: connects(port), "pgbouncer")
                check_library(child.pid, on)
                seconds = bench(folder, tools[-1], port)
                pause(folder, port)
                reload(folder, port, child)
                return TRANSACTIONS + 3, seconds


class database:
    """A PostgreSQL, until the block is over; its port."""

    def __init__(self, folder, tools):
        self.folder, self.port = folder, free_port()
        run(*AS_POSTGRES, f"{tools}/initdb", "-D", f"{folder}/data", "-A", "trust", "--no-sync", env=environment(LIBEVENT))
        self.server = program(LIBEVENT, *AS_POSTGRES, f"{tools}/postgres", "-D", f"{folder}/data", "-p", str(self.port),
                              "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
                              "-c", f"unix_socket_directories={folder}", cwd=folder)

    def __enter__(self):
        self.server.__enter__()
        until(self.answers, "PostgreSQL")
        return self.port

    def answers(self):
        try:
            return sql(self.folder, self.port, "select 1", "postgres").strip() == "1"
        except Wrong:
            return False

    def __exit__(self, *why):
        return self.server.__exit__(*why)


def write_configuration(folder, port, server):
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


def client(port, text, database):
    return (*AS_POSTGRES, "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-d", database, "-c", text)


def sql(folder, port, text, database="bench"):
    return run(*client(port, text, database), cwd=folder, env=environment(LIBEVENT))


def bench(folder, tools, port):
    command = (*AS_POSTGRES, f"{tools}/pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres")
    run(*command, "-i", "-q", "bench", cwd=folder, env=environment(LIBEVENT))
    start = time.monotonic()
    out = run(*command, "-c", "20", "-j", "2", "-t", str(TRANSACTIONS // 20), "-n", "bench", cwd=folder,
              env=environment(LIBEVENT))
    seconds = time.monotonic() - start
    check(f"{TRANSACTIONS}/{TRANSACTIONS}" in out, "some transactions are missing")
    check(sql(folder, port, "select count(*) from pgbench_history").strip() == str(TRANSACTIONS), "another count")
    return seconds


def pause(folder, port):
    """While it pauses, questions wait."""
    sql(folder, port, "pause bench", "pgbouncer")
    waiting = subprocess.Popen(client(port, "select 42", "bench"), stdout=subprocess.PIPE, text=True, cwd=folder,
                               env=environment(LIBEVENT))
    try:
        until(lambda: any("bench" in line and re.search(r"\|[1-9]\d*\|", line)
                          for line in sql(folder, port, "show pools", "pgbouncer").splitlines()), "a client that waits")
        check(waiting.poll() is None, "the question did not wait")
        sql(folder, port, "resume bench", "pgbouncer")
        check(waiting.communicate(timeout=PATIENCE)[0].strip() == "42", "another answer")
    finally:
        waiting.kill()
        waiting.wait()


def reload(folder, port, child):
    sql(folder, port, "reload", "pgbouncer")
    child.send_signal(signal.SIGHUP)
    # Idle servers are closed.
    until(lambda: "bench" not in sql(folder, port, "show servers", "pgbouncer"), "the end of idle servers")
    check(sql(folder, port, "select 6*7").strip() == "42", "no answer after the idle timeout")
