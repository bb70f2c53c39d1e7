#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the seed corpora of the VICI fuzzers: selftests/fuzz/vici_corpus.py DIRECTORY"""
import os, struct, sys

def kv(k, v): return b"\3" + bytes([len(k)]) + k + struct.pack(">H", len(v)) + v
def sec(k, *inside): return b"\1" + bytes([len(k)]) + k + b"".join(inside) + b"\2"
def lst(k, *items): return b"\4" + bytes([len(k)]) + k + b"".join(b"\5" + struct.pack(">H", len(i)) + i for i in items) + b"\6"

child = sec(b"l2tp-2", kv(b"name", b"l2tp"), kv(b"uniqueid", b"2"), kv(b"state", b"INSTALLED"), kv(b"mark-in", b"0000000a"),
            lst(b"local-ts", b"203.0.113.1/32[udp/l2f]"), lst(b"remote-ts", b"203.0.113.2/32[udp/l2f]"))
sa = sec(b"l2tp", kv(b"uniqueid", b"2"), kv(b"version", b"1"), kv(b"state", b"ESTABLISHED"), kv(b"remote-host", b"203.0.113.2"),
         sec(b"child-sas", child))
messages = {
    "empty": b"", "key": kv(b"k", b"ff"), "sa": sa, "updown": kv(b"up", b"yes") + sa,
    "refused": kv(b"success", b"no") + kv(b"errmsg", b"why"), "list": lst(b"l", b"", b"x"),
    "deep": b"\1\1s" * 16 + b"\2" * 16, "unbalanced": b"\1\1s", "nested_list": b"\4\1l\4\1m\6\6",
}

# Records of the client's fuzzer: what happens, octets.
def rec(what, octets=b""):
    out = b""
    while len(octets) > 31:
        out += bytes([31 << 3 | what]) + octets[:31]
        octets = octets[31:]
    return out + bytes([len(octets) << 3 | what]) + octets
def packet(kind, name=None, msg=b""):
    body = bytes([kind]) + (bytes([len(name)]) + name if name is not None else b"") + msg
    return struct.pack(">I", len(body)) + body
CMD, EVT, TICK, OPEN, OPEN_E, STREAM, REQUEST, LOST = range(8)
confirm, answer = packet(5), packet(1, msg=kv(b"success", b"yes"))
up = rec(TICK) + rec(OPEN) + rec(CMD, packet(1, msg=kv(b"version", b"5.9.8"))) + rec(EVT, confirm) * 2
client = {
    "up": up,
    "request": up + rec(REQUEST) + rec(REQUEST, kv(b"k", b"v")) + rec(CMD, answer) * 2,
    "stream": up + rec(STREAM) + rec(CMD, confirm) + rec(CMD, packet(7, b"list-sa", sa)) + rec(CMD, answer) + rec(CMD, confirm),
    "event": up + rec(EVT, packet(7, b"child-updown", messages["updown"])),
    "unknown": up + rec(STREAM) + rec(CMD, packet(6)) + rec(REQUEST) + rec(CMD, packet(2)),
    "lost": up + rec(REQUEST) + rec(LOST) + up,
    "silent": up + rec(REQUEST) + rec(TICK) + up + rec(TICK) + rec(TICK),
    "half": rec(TICK) + rec(OPEN_E) + rec(TICK) + rec(TICK) + rec(OPEN) + rec(EVT, packet(6)),
    "nonsense": up + rec(EVT, b"GET / HTTP/1.0"),
}
for name, files in (("vici_msg", messages), ("vici_client", client)):
    os.makedirs(os.path.join(sys.argv[1], name), exist_ok=True)
    for f, octets in files.items():
        with open(os.path.join(sys.argv[1], name, f), "wb") as out:
            out.write(octets)
