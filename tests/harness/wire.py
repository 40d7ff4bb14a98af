#!/usr/bin/env python3
"""A slow or lossy cable: relays frames between two interfaces. usage: wire.py A B DELAY_MS LOSS_PERCENT

Stands in for the kernel's netem, which small kernels leave out. Checksum and segmentation state travel with the frames,
so offloads may stay on.
"""
import collections
import random
import select
import socket
import sys
import time

SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 1, 15, 23
ETH_P_ALL, PACKET_MR_PROMISC = 3, 1
FRAMES_MAX = 20000  # beyond it the cable drops


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.bind((name, ETH_P_ALL))
    member = socket.if_nametoindex(name).to_bytes(4, sys.byteorder) + PACKET_MR_PROMISC.to_bytes(2, sys.byteorder) + bytes(10)
    port.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)
    port.setblocking(False)
    return port


def send(port, frame):
    try:
        port.send(frame)
    except OSError:
        pass  # the far end is down: the frame is lost, as on a real cable


def relay(a, b, delay, loss):
    ports = (open_port(a), open_port(b))
    queues = (collections.deque(), collections.deque())  # to b, to a
    other = {ports[0]: (0, ports[1]), ports[1]: (1, ports[0])}
    print("up", flush=True)
    while True:
        now = time.monotonic()
        pause = 1.0
        for index, queue in enumerate(queues):
            while queue and queue[0][0] <= now:
                send(ports[1 - index], queue.popleft()[1])
            if queue:
                pause = min(pause, queue[0][0] - now)
        for port in select.select(ports, [], [], max(0, pause))[0]:
            index, _ = other[port]
            for _ in range(64):
                try:
                    frame = port.recv(70000)
                except OSError:
                    break
                if len(queues[index]) < FRAMES_MAX and random.random() >= loss:
                    queues[index].append((time.monotonic() + delay, frame))


if __name__ == "__main__":
    relay(sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000, float(sys.argv[4]) / 100)
