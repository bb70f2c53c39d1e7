#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""l2tp-inject.py: for each line of SOURCE,PORT,DESTINATION,PORT,TUNNEL,SESSION,FORM[/FORM]... jobs on standard input, sends
an L2TPv2 data message (RFC 2661 3.1) with a ping inside for each form, and prints how many.  A form is the letters of the
header's bits, or "-" for none of them: L (Length), S (Ns and Nr, counting from 0), O (Offset); with T there is not a ping
inside but a TCP SYN from 10.255.0.1 to 10.1.0.2 that announces an MSS of 1460; with "f" in front it comes in two fragments,
the first of which holds no more than the UDP header, with "F" in fragments of 32 octets."""
import os
import socket
import struct
import sys

PING = bytes.fromhex("4500001c000000004001000063636363636363010800000000010001")
SYN = bytes.fromhex("4500002c00000000400665ca0aff00010a0100020050000900000001000000006002100000000000020405b4")
ns = 0


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def message(form, tunnel, session):
    global ns
    flags, tail = 0x0002, b""
    if "S" in form:
        flags |= 0x0800
        tail += struct.pack("!HH", ns, 0)
        ns += 1
    if "O" in form:
        flags |= 0x0200
        tail += struct.pack("!H", 4) + b"pad."
    tail += b"\xff\x03\x00\x21" + (SYN if "T" in form else PING)
    ids = struct.pack("!HH", tunnel, session)
    if "L" in form:
        return struct.pack("!HH", flags | 0x4000, 8 + len(tail)) + ids + tail
    return struct.pack("!H", flags) + ids + tail


def fragments(family, source, to, payload, size):
    src, dst = socket.inet_pton(family, source[0]), socket.inet_pton(family, to[0])
    udp = struct.pack("!HHHH", source[1], to[1], 8 + len(payload), 0) + payload
    pseudo = src + dst + struct.pack("!IHBB", len(udp), 0, 0, socket.IPPROTO_UDP)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp) or 0xffff) + udp[8:]
    ident = int.from_bytes(os.urandom(2), "big")
    cuts = [(0, 8), (8, len(udp))] if not size else [(i, min(i + size, len(udp))) for i in range(0, len(udp), size)]
    for start, end in cuts:
        part, more = udp[start:end], end < len(udp)
        if family == socket.AF_INET:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), ident, more << 13 | start // 8, 64, 17, 0)
            yield head + src + dst + part
        else:
            head = struct.pack("!IHBB", 6 << 28, 8 + len(part), 44, 64)
            yield head + src + dst + struct.pack("!BBHI", 17, 0, start | more, ident) + part


def work(job):
    source, sport, dest, dport, tunnel, session, forms = job.split(",")
    family = socket.AF_INET6 if ":" in dest else socket.AF_INET
    source, to = (source, int(sport)), (dest, int(dport))
    forms = forms.split("/")
    with socket.socket(family, socket.SOCK_DGRAM) as sock, \
            socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(source)
        for form in forms:
            payload = message(form, int(tunnel), int(session))
            if form[0] in "fF":
                for packet in fragments(family, source, to, payload, 32 if form[0] == "F" else 0):
                    raw.sendto(packet, (dest, 0))
            else:
                sock.sendto(payload, to)
    return len(forms)


for line in sys.stdin:
    ns = 0
    print(sum(map(work, line.split())), flush=True)
