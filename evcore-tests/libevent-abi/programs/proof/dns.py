"""nsd and unbound: queries, transfers, a reload, a forwarder that loses questions."""

import os
import signal
import socket
import struct
import tempfile
import threading
import time

from harness import PATIENCE, Wrong, check, check_library, connects, free_port, program, until


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def question(number, text, kind=1, recursion=0):
    return struct.pack(">HHHHHH", number, 0x100 * recursion, 1, 0, 0, 0) + name(text) + struct.pack(">HH", kind, 1)


def try_to_ask(port, number, text, kind=1, recursion=0, timeout=PATIENCE / 4):
    """One answer by UDP: how it went, how many records, and all of it; `None` if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect(("127.0.0.1", port))
        try:
            client.send(question(number, text, kind, recursion))
            reply = client.recv(4096)
        except OSError:
            return None
    got, flags, _, answers = struct.unpack(">HHHH", reply[:8])
    check(got == number, "another question's answer")
    return flags & 15, answers, reply


def ask(port, number, text, kind=1, recursion=0):
    """An answer, like a resolver: UDP may lose a question on a busy machine, which is asked again."""
    for _ in range(4):
        answer = try_to_ask(port, number, text, kind, recursion)
        if answer is not None:
            return answer
    raise Wrong(f"no answer for {text}")


def ask_by_tcp(port, text, kind):
    """All messages of an answer by TCP, until the second SOA of a transfer."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
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
            until(lambda: connects(port) and try_to_ask(port, 1, "h1.example.test", timeout=0.5), "nsd")
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
                with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                    client.send(b"\0\x20half")
            # A new zone.
            write_zone(f"{folder}/zone", 99)
            child.send_signal(signal.SIGHUP)

            def is_reloaded():
                answer = try_to_ask(port, 9, "example.test", 6)
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
            until(lambda: try_to_ask(port, 1, "h1.local.test", timeout=0.5), "unbound")
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
                    answer = try_to_ask(port, number, f"x{number}.away.zz", recursion=1, timeout=PATIENCE)
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
