#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One TCP stream, a packet each 2 ms, and the longest time in which nothing came.

  stream.py serve ADDRESS     takes one stream; at its end prints the longest gap in ms
  stream.py send ADDRESS      sends until it is ended
"""
import socket
import sys
import time

PORT = 7788


def serve(address):
    with socket.create_server((address, PORT)) as listener:
        print("ready", flush=True)
        connection, _ = listener.accept()
    longest, last, total = 0.0, None, 0
    while True:
        got = connection.recv(65536)
        now = time.monotonic()
        if not got:
            break
        if last:
            longest = max(longest, now - last)
        last, total = now, total + len(got)
    print("%.1f %d" % (longest * 1000, total), flush=True)


def send(address):
    connection = socket.create_connection((address, PORT), 20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        connection.sendall(b"x" * 200)
        time.sleep(0.002)


if __name__ == "__main__":
    {"serve": serve, "send": send}[sys.argv[1]](sys.argv[2])
