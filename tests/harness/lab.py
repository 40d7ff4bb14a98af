"""A lab: several hosts on one machine, each a Host of its own, joined by a switch that a test can cut, slow down or NAT.

    with Lab(3) as lab:
        lab.hosts[0].run([...])
        lab.cut(1)

Host i (from 0) has the address 10.89.0.<i+1>. The switch is a bridge in a namespace of its own, 10.89.0.254, which is also
every host's default route and leads nowhere else: there is no DNS and no way out. Needs root.
"""
import os
import subprocess

from .host import Host

HERE = os.path.dirname(os.path.abspath(__file__))
NET = "10.89.0"
SWITCH_ADDRESS = f"{NET}.254"
PROXY_PORT = 3128


class Namespace:
    """A network namespace that lives as long as its one idle process."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "--kill-child=SIGKILL", "--fork", "sh", "-c", "echo; exec sleep infinity"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.process.stdout.readline()
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            self.pid = int(file.read().split()[0])
        self.run("ip", "link", "set", "lo", "up")
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def command(self, *argv):
        return ["nsenter", "-t", str(self.pid), "--net", "--", *argv]

    def run(self, *argv, check=True, **more):
        done = subprocess.run(self.command(*argv), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stdout.strip()}")
        return done.stdout

    def nft(self, text):
        self.run("nft", "-f", "-", input=text)

    def start(self, *argv):
        """A background program that says "up" on its first line; the rest of what it says may be read from it."""
        process = subprocess.Popen(self.command(*argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline().strip() != "up":
            raise RuntimeError(f"{' '.join(argv)} did not come up")
        return process

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class LabHost(Host):
    """A host of a lab, numbered from 0. Its cable is the interface eth0."""

    def __init__(self, number):
        super().__init__(None)
        self.number = number
        self.address = f"{NET}.{number + 1}"
        self.gateway = SWITCH_ADDRESS

    def power_on(self):
        # The lab plugs the cable in: the host comes up without one.
        address, self.address = self.address, None
        super().power_on()
        self.address = address

    def ip(self, *argv, check=True):
        done = self.run(["ip", *argv], check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"ip {' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout

    def set_address(self, address):
        self.ip("addr", "flush", "dev", "eth0", "scope", "global")
        self.ip("addr", "add", f"{address}/24", "dev", "eth0")
        self.ip("link", "set", "eth0", "up")
        self.ip("route", "replace", "default", "via", self.gateway)
        self.address = address


class Lab:
    def __init__(self, hosts=3):
        self.switch = Namespace()
        self.hosts = []
        self._routers = {}    # host number -> the namespace of its router
        self._wires = {}      # host number -> the relay process
        self._proxies = []
        try:
            self.switch.run("ip", "link", "add", "lab0", "type", "bridge", "forward_delay", "0", "stp_state", "0")
            self.switch.run("ip", "addr", "add", f"{SWITCH_ADDRESS}/24", "dev", "lab0")
            self.switch.run("ip", "link", "set", "lab0", "up")
            for _ in range(hosts):
                self.add_host()
        except BaseException:
            self.close()
            raise

    def add_host(self):
        host = LabHost(len(self.hosts))
        self.hosts.append(host)
        self._plug(host)
        return host

    def _plug(self, host):
        port = f"port{host.number}"
        # A machine keeps its hardware address over a reboot, and its neighbours remember it.
        self.switch.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0",
                        "address", f"0e:00:00:00:01:{host.number:02x}", "netns", str(host.pid1))
        self.switch.run("ip", "link", "set", port, "master", "lab0", "up")
        host.gateway = SWITCH_ADDRESS
        host.set_address(host.address)

    def _port(self, number):
        """The switch's port behind which the host is."""
        if number in self._wires:
            return f"far{number}"
        return f"wan{number}" if number in self._routers else f"port{number}"

    # --- the cable ---
    def cut(self, number, silent=False):
        """Pulls the cable: both ends see it. Silent: frames vanish, and nobody is told."""
        if silent:
            port = self._port(number)
            self.switch.nft(f"""
table bridge silent{number} {{
  chain through {{ type filter hook forward priority 0; iifname "{port}" drop; oifname "{port}" drop; }}
  chain to_us {{ type filter hook input priority 0; iifname "{port}" drop; }}
  chain from_us {{ type filter hook output priority 0; oifname "{port}" drop; }}
}}""")
        elif number in self._routers:
            self.switch.run("ip", "link", "set", self._port(number), "down")
        else:
            self.switch.run("ip", "link", "set", f"port{number}", "down")

    def heal(self, number):
        self.switch.run("nft", "delete", "table", "bridge", f"silent{number}", check=False)
        if number in self._routers:
            self.switch.run("ip", "link", "set", self._port(number), "up")
            self._routers[number].run("ip", "route", "replace", "default", "via", SWITCH_ADDRESS)
            return
        self.switch.run("ip", "link", "set", f"port{number}", "up")
        # Routes through a link go when its carrier does for good; DHCP would bring them back.
        self.hosts[number].ip("route", "replace", "default", "via", self.hosts[number].gateway, check=False)

    def cut_between(self, a, b):
        """These two no longer reach each other; everybody else still reaches both."""
        pa, pb = self._port(a), self._port(b)
        self.switch.nft(f"""
table bridge between{min(a, b)}x{max(a, b)} {{
  chain through {{ type filter hook forward priority 0; iifname "{pa}" oifname "{pb}" drop; iifname "{pb}" oifname "{pa}" drop; }}
}}""")

    def heal_between(self, a, b):
        self.switch.run("nft", "delete", "table", "bridge", f"between{min(a, b)}x{max(a, b)}")

    def degrade(self, number, delay_ms=0, loss_percent=0):
        """Each way. Both 0: as good as new. Not for a host behind a router."""
        process = self._wires.pop(number, None)
        if process:
            process.kill()
            process.wait()
            process.stdout.close()
            self.switch.run("ip", "link", "del", f"far{number}")
            self.switch.run("ip", "link", "set", f"port{number}", "master", "lab0")
        if delay_ms == 0 and loss_percent == 0:
            return
        self.switch.run("ip", "link", "set", f"port{number}", "nomaster")
        self.switch.run("ip", "link", "add", f"far{number}", "type", "veth", "peer", "name", f"near{number}")
        self.switch.run("ip", "link", "set", f"far{number}", "master", "lab0", "up")
        self.switch.run("ip", "link", "set", f"near{number}", "up")
        self._wires[number] = self.switch.start("python3", f"{HERE}/wire.py", f"port{number}", f"near{number}",
                                                str(delay_ms), str(loss_percent))

    # --- addresses ---
    def readdress(self, number, address):
        """As when DHCP gives another address: the old one is gone, and connections over it hang."""
        self.hosts[number].set_address(address)

    def nat(self, number):
        """Puts the host behind a masquerading router: it gets out, and nothing gets in."""
        host = self.hosts[number]
        router = Namespace()
        self._routers[number] = router
        lan = f"10.89.{100 + number}"
        self.switch.run("ip", "link", "set", f"port{number}", "nomaster", "netns", str(router.pid), "name", "lan")
        router.run("ip", "addr", "add", f"{lan}.1/24", "dev", "lan")
        router.run("ip", "link", "set", "lan", "up")
        self.switch.run("ip", "link", "add", f"wan{number}", "type", "veth", "peer", "name", "wan", "netns", str(router.pid))
        self.switch.run("ip", "link", "set", f"wan{number}", "master", "lab0", "up")
        router.run("ip", "addr", "add", f"{NET}.{100 + number}/24", "dev", "wan")
        router.run("ip", "link", "set", "wan", "up")
        router.run("ip", "route", "add", "default", "via", SWITCH_ADDRESS)
        router.nft("""
table ip nat { chain post { type nat hook postrouting priority 100; oifname "wan" masquerade; }; }
table ip filter {
  chain through { type filter hook forward priority 0; policy drop; ct state established,related accept; iifname "lan" accept; }
  chain to_us { type filter hook input priority 0; iifname "wan" ct state new drop; }
}""")
        host.gateway = f"{lan}.1"
        host.set_address(f"{lan}.2")

    # --- what firewalls do ---
    def firewall(self, number, ports):
        """From and to this host nothing passes but connections that it opens to these TCP ports. None: no firewall."""
        self.switch.run("nft", "delete", "table", "bridge", f"firewall{number}", check=False)
        if ports is None:
            return
        port = self._port(number)
        allowed = ", ".join(str(p) for p in ports)
        self.switch.nft(f"""
table bridge firewall{number} {{
  chain leaving {{ ether type arp accept; tcp dport {{ {allowed} }} accept; drop; }}
  chain coming {{ ether type arp accept; tcp sport {{ {allowed} }} accept; drop; }}
  chain through {{ type filter hook forward priority 1; iifname "{port}" jump leaving; oifname "{port}" jump coming; }}
  chain to_us {{ type filter hook input priority 1; iifname "{port}" jump leaving; }}
  chain from_us {{ type filter hook output priority 1; oifname "{port}" jump coming; }}
}}""")

    def proxy(self, allowed_ports, credentials=""):
        """Starts an HTTP CONNECT proxy on the switch; its URL, without credentials."""
        self._proxies.append(self.switch.start("python3", f"{HERE}/connect_proxy.py", SWITCH_ADDRESS, str(PROXY_PORT),
                                               ",".join(str(p) for p in allowed_ports), credentials))
        return f"http://{SWITCH_ADDRESS}:{PROXY_PORT}"

    # --- power ---
    def power_off(self, number):
        """The cable first: a machine without power sends no goodbye. Then every process at once. The disk stays."""
        if number in self._routers:
            self._routers[number].run("ip", "link", "set", "lan", "down")
        else:
            self.switch.run("ip", "link", "set", f"port{number}", "down")
        self.degrade(number)
        self.hosts[number].power_off()
        if number in self._routers:
            self._routers.pop(number).close()
            self.switch.run("ip", "link", "del", f"wan{number}", check=False)
        self.switch.run("ip", "link", "del", f"port{number}", check=False)

    def power_on(self, number):
        """The same disk, an empty /run, the same address (a host that was behind a router is plugged into the switch)."""
        host = self.hosts[number]
        if not host.address.startswith(f"{NET}."):
            host.address = f"{NET}.{number + 1}"
        host.power_on()
        self._plug(host)

    def close(self):
        for process in [*self._proxies, *self._wires.values()]:
            process.kill()
            process.wait()
            process.stdout.close()
        for host in self.hosts:
            host.close()
        for router in self._routers.values():
            router.close()
        self.switch.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
