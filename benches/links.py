"""Links slower than loopback: what they add, computed from exact rounds and bytes, and two emulators to see it happen: one in
this process, and network namespaces joined by a program, which keeps up with 1 Gbit/s."""

import os
import queue
import socket
import subprocess
import threading
import time

from session import Failure

# Bits a second, and seconds for there and back.
PROFILES = {
    "lan-fast": (5e9, 0.001),
    "lan": (1e9, 0.0005),
    "wan": (400e6, 0.004),
    "wan-slow": (100e6, 0.040),
}
CHUNK = 1 << 16


def waiting(traffic, profile):
    """Seconds that a query waits for the link, the two directions overlapping always and never.

    In a round both parties send and both wait for what comes, so that a round takes the time of one way. Where only one
    of them has something to send, it need not wait, and a query is a little faster than this.
    """
    bits_per_second, round_trip = PROFILES[profile]
    ways = [8 * traffic[key] / bits_per_second for key in ("sent_bytes", "received_bytes")]
    latency = traffic["rounds"] * round_trip / 2
    return latency + max(ways), latency + sum(ways)


class Link:
    """Forwards one connection; each direction has its own rate, and its bytes arrive a fixed time after they left.

    What has left stays in a queue without a limit, as in a network that loses nothing.
    """

    host = "127.0.0.1"

    def __init__(self, profile):
        bits_per_second, round_trip = PROFILES[profile]
        self.bytes_per_second, self.way = bits_per_second / 8, round_trip / 2

    def between(self, server_at):
        """The address to connect to instead of `server_at`, `HOST:PORT`."""
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.join, args=(listener, server_at), daemon=True).start()
        return "{}:{}".format(*listener.getsockname())

    def inside(self, role):
        return []

    def join(self, listener, server_at):
        client, _ = listener.accept()
        listener.close()
        server = patient_connection(server_at)
        for source, target in ((client, server), (server, client)):
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            flight = queue.SimpleQueue()
            threading.Thread(target=self.take, args=(source, flight), daemon=True).start()
            threading.Thread(target=deliver, args=(flight, target), daemon=True).start()

    def take(self, source, flight):
        free = 0.0  # when the wire has taken all bytes so far
        while True:
            try:
                data = source.recv(CHUNK)
            except OSError:
                data = b""
            free = max(free, time.monotonic()) + len(data) / self.bytes_per_second
            flight.put((free + self.way, data))
            if not data:
                return


def deliver(flight, target):
    while True:
        due, data = flight.get()
        delay = due - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        try:
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)
        except OSError:
            return


def patient_connection(address):
    host, port = address.rsplit(":", 1)
    for _ in range(300):
        try:
            return socket.create_connection((host, int(port)))
        except ConnectionRefusedError:
            time.sleep(0.1)
    return socket.create_connection((host, int(port)))


# Bits a second, and seconds for there and back.
SHAPED = {"lan": (1e9, 0.001), "wan": (100e6, 0.040)}


class Namespaces:
    """The server and the client each in a network namespace; `netsim NAMESPACE NAMESPACE MICROSECONDS MBIT` joins them.

    `link` is bits a second, and seconds for there and back."""

    host = "10.77.0.1"
    client_host = "10.77.0.2"

    def __init__(self, netsim, link):
        self.netsim, (self.bits_per_second, self.round_trip) = netsim, link
        self.names = {role: f"ptc{os.getpid()}{role}" for role in ("server", "client")}
        self.process = None

    def __enter__(self):
        try:
            for name in self.names.values():
                command("ip", "netns", "add", name)
                command("ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")
            one_way, rate = self.round_trip / 2 * 1e6, self.bits_per_second / 1e6
            arguments = [self.netsim, *self.names.values(), f"{one_way:.0f}", f"{rate:.0f}"]
            self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if self.process.stdout.readline().strip() != "ready":
                raise Failure(f"`{self.netsim}` did not join the namespaces")
            for name, host in zip(self.names.values(), (self.host, self.client_host)):
                inside = ("ip", "netns", "exec", name)
                command(*inside, "ip", "addr", "add", f"{host}/24", "dev", "tun0")
                command(*inside, "ip", "link", "set", "tun0", "mtu", "1500", "txqueuelen", "10000", "up")
                for buffer in ("tcp_rmem", "tcp_wmem"):
                    command(*inside, "sysctl", "-qw", f"net.ipv4.{buffer}=4096 1048576 33554432")
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)

    def inside(self, role):
        return ["ip", "netns", "exec", self.names[role]]

    def between(self, server_at):
        return server_at


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"`{' '.join(words)}` failed: {done.stderr.strip()}")
