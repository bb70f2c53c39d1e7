#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""l2tp-echo.py ADDRESS:PORT TUNNEL,SESSION,PEER_TUNNEL,PEER_SESSION...: answers pings in L2TPv2 data messages
from one socket, each answer with another form of header: with Length or not, with a UDP checksum or not."""
import socket
import struct
import sys

SO_NO_CHECK = 11

address, port = sys.argv[1].rsplit(":", 1)
peer_of = {}
for words in sys.argv[2:]:
    tunnel, session, peer_tunnel, peer_session = map(int, words.split(","))
    peer_of[tunnel, session] = peer_tunnel, peer_session
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((address, int(port)))
print("ready", flush=True)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


while True:
    data, source = sock.recvfrom(2048)
    flags, tunnel, session = struct.unpack("!HHH", data[:6])
    frame = data[6:]
    if flags != 0x0002 or (tunnel, session) not in peer_of or frame[:4] != b"\xff\x03\x00\x21":
        print("not for us:", source, data[:12].hex(), flush=True)
        continue
    packet = bytearray(frame[4:])
    size = (packet[0] & 15) * 4
    if packet[9] != 1 or packet[size] != 8:
        continue
    packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
    packet[size:size + 4] = bytes(4)
    packet[size + 2:size + 4] = struct.pack("!H", checksum(bytes(packet[size:])))
    form = struct.unpack("!H", packet[size + 6:size + 8])[0] % 4
    to = peer_of[tunnel, session]
    body = frame[:4] + bytes(packet)
    if form & 1:
        head = struct.pack("!HHHH", 0x4002, len(body) + 8, *to)
    else:
        head = struct.pack("!HHH", 0x0002, *to)
    sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, form >> 1)
    sock.sendto(head + body, source)
