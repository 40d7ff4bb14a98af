"""The lab itself: what the other groups lean on."""
import base64
import subprocess
import time

from harness.lab import Lab

SERVE = "import socketserver,sys\nclass H(socketserver.BaseRequestHandler):\n def handle(self): self.request.sendall((sys.argv[1]+' '+self.client_address[0]).encode())\nsocketserver.ThreadingTCPServer.allow_reuse_address=True\ns=socketserver.ThreadingTCPServer(('',int(sys.argv[2])),H)\nprint('up',flush=True)\ns.serve_forever()\n"
ASK = "import socket,sys\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])),timeout=float(sys.argv[3]))\ns.settimeout(float(sys.argv[3]))\nprint(s.recv(100).decode())\n"


def serve(host, name, port):
    process = host.start(["python3", "-c", SERVE, name, str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    return process


def ask(host, address, port, patience=1.0):
    """What the server there says; None: nothing."""
    done = host.run(["python3", "-c", ASK, address, str(port), str(patience)], check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def make_context(build):
    lab = Lab(3)
    for number, host in enumerate(lab.hosts):
        serve(host, f"host{number}", 7000)
    return lab


def test_hosts_reach_each_other_and_cables_can_be_cut(lab):
    a, b, c = lab.hosts
    assert ask(a, b.address, 7000) == f"host1 {a.address}"
    lab.cut(1)
    assert "NO-CARRIER" in b.run(["ip", "link", "show", "eth0"]).stdout
    assert ask(a, b.address, 7000, 0.3) is None
    lab.heal(1)
    assert ask(a, b.address, 7000) == f"host1 {a.address}"
    lab.cut(1, silent=True)
    assert "NO-CARRIER" not in b.run(["ip", "link", "show", "eth0"]).stdout
    assert ask(c, b.address, 7000, 0.3) is None
    lab.heal(1)
    lab.cut_between(0, 1)
    assert ask(a, b.address, 7000, 0.3) is None
    assert ask(c, b.address, 7000) == f"host1 {c.address}"
    lab.heal_between(0, 1)
    assert ask(a, b.address, 7000) == f"host1 {a.address}"


def test_cables_are_slow_or_lossy_when_asked(lab):
    a, b, _ = lab.hosts
    lab.degrade(1, delay_ms=60)
    start = time.monotonic()
    done = a.run(["ping", "-c", "1", "-W", "2", b.address], check=False) if has_ping(a) else None
    answer = ask(a, b.address, 7000, 3)
    assert answer == f"host1 {a.address}"
    assert time.monotonic() - start > 0.12, "a round trip takes twice the delay"
    assert done is None or done.returncode == 0
    lab.degrade(1, loss_percent=100)
    assert ask(a, b.address, 7000, 0.3) is None
    lab.degrade(1)
    assert ask(a, b.address, 7000) == f"host1 {a.address}"


def has_ping(host):
    return host.run(["which", "ping"], check=False).returncode == 0


def test_addresses_change(lab):
    a, b, _ = lab.hosts
    old = b.address
    lab.readdress(1, "10.89.0.52")
    assert ask(a, "10.89.0.52", 7000) == f"host1 {a.address}"
    assert ask(a, old, 7000, 0.3) is None
    lab.readdress(1, old)
    assert ask(a, old, 7000) == f"host1 {a.address}"


def connect(host, proxy, target, credentials=None):
    """The status line of a CONNECT, and what the target then says."""
    header = ""
    if credentials:
        header = "Proxy-Authorization: Basic " + base64.b64encode(credentials.encode()).decode() + "\\r\\n"
    address, port = proxy.removeprefix("http://").split(":")
    code = ("import socket\n"
            f"s=socket.create_connection(('{address}',{port}),timeout=2)\n"
            f"s.sendall(b'CONNECT {target} HTTP/1.1\\r\\nHost: x\\r\\n{header}\\r\\n')\n"
            "f=s.makefile('rb')\nprint(f.readline().decode().strip())\n"
            "while f.readline().strip(): pass\nprint(f.read(100).decode())\n")
    return host.run(["python3", "-c", code], check=False).stdout.split("\n")


def test_firewall_and_proxy_let_through_what_they_should(lab):
    a, b, _ = lab.hosts
    serve(a, "secure", 7443)
    proxy = lab.proxy([7443], "lab:secret")
    lab.firewall(1, [3128])
    assert ask(b, a.address, 7000, 0.3) is None
    assert ask(a, b.address, 7000, 0.3) is None
    assert connect(b, proxy, f"{a.address}:7443")[0].startswith("HTTP/1.1 407")
    assert connect(b, proxy, f"{a.address}:7000", "lab:secret")[0].startswith("HTTP/1.1 403")
    assert connect(b, proxy, f"{a.address}:7443", "lab:secret")[1] == "secure 10.89.0.254"
    lab.firewall(1, None)
    assert ask(b, a.address, 7000) == f"host0 {b.address}"


def test_power_goes_without_a_word_and_the_disk_stays(lab):
    a, b, _ = lab.hosts
    with open(f"{b.dir}/kept", "w") as file:
        file.write("kept")
    old = b.pid1
    lab.power_off(1)
    assert ask(a, b.address, 7000, 0.3) is None
    lab.power_on(1)
    assert b.pid1 != old and b.run(["cat", f"{b.dir}/kept"]).stdout == "kept"
    assert ask(a, b.address, 7000, 0.3) is None, "nothing runs after a boot"
    serve(b, "host1", 7000)
    assert ask(a, b.address, 7000) == f"host1 {a.address}"


def test_a_router_lets_out_and_not_in(lab):
    a, _, c = lab.hosts
    lab.nat(2)
    assert c.address == "10.89.102.2"
    assert ask(c, a.address, 7000) == "host0 10.89.0.102", "under the router's address"
    assert ask(a, c.address, 7000, 0.3) is None
    lab.cut(2)
    assert ask(c, a.address, 7000, 0.3) is None
    lab.heal(2)
    assert ask(c, a.address, 7000) == "host0 10.89.0.102"
