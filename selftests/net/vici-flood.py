#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A charon that tells much: vici-flood.py SOCKET EVENTS SAS [PER-SECOND] serves VICI at SOCKET and, when a line comes on its
standard input, says EVENTS times that an SA of connection ktund-peer-anyone is up, was rekeyed or has gone (PER-SECOND: so many a
second; else as fast as they are taken).  In the end there are SAS of them, which list-sas has, too.  Prints what it has done."""
import os
import selectors
import socket
import struct
import sys
import time

REQUEST, RESPONSE, REGISTER, UNREGISTER, CONFIRM, EVENT = 0, 1, 3, 4, 5, 7


def packet(kind, name, msg):
    body = bytes([kind]) + (bytes([len(name)]) + name if name else b"") + msg
    return struct.pack("!I", len(body)) + body


def section(name, inner):
    return b"\1" + bytes([len(name)]) + name + inner + b"\2"


def keys(**kv):
    out = b""
    for k, v in kv.items():
        k, v = k.replace("_", "-").encode(), str(v).encode()
        out += b"\3" + bytes([len(k)]) + k + struct.pack("!H", len(v)) + v
    return out


def words(name, items):
    out = b"\4" + bytes([len(name)]) + name
    for i in items:
        out += b"\5" + struct.pack("!H", len(i)) + i
    return out + b"\6"


def child(slot, number, state):
    return keys(name="l2tp-1701", uniqueid=number, reqid=slot + 1, state=state, mode="TRANSPORT", protocol="ESP",
                spi_in="%08x" % (number + 0x1000), spi_out="%08x" % (number + 0x1000), mark_in="%08x" % (slot + 1),
                encr_alg="AES_GCM_16", encr_keysize="128") + \
        words(b"local-ts", [b"192.0.2.1/32[udp/l2f]"]) + words(b"remote-ts", [b"10.0.0.1/32[udp]"])


def ike(slot, inner):
    host = "10.%d.%d.%d" % (slot >> 16 & 255, slot >> 8 & 255, slot & 255)
    return section(b"ktund-peer-anyone", keys(uniqueid=slot + 1, version=2, state="ESTABLISHED", local_host="192.0.2.1",
                                              remote_host=host, remote_port=500, remote_id=host) +
                   section(b"child-sas", inner))


def main():
    path, events, sas = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rate = float(sys.argv[4]) if len(sys.argv) > 4 else 0
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    sel = selectors.DefaultSelector()
    sel.register(listener, selectors.EVENT_READ, None)
    sel.register(0, selectors.EVENT_READ, None)
    loaded = {"conns": [], "shared": []}
    there, number, told = {}, 0, None

    def answer(conn, kind, name, msg):
        if kind in (REGISTER, UNREGISTER):
            if kind == REGISTER and name == b"child-updown":
                nonlocal told
                told = conn
            return packet(CONFIRM, b"", b"")
        out, reply = b"", keys(success="yes")
        if name == b"version":
            reply = keys(daemon="charon-systemd", version="5.9.8")
        elif name == b"list-sas":
            for slot, n in sorted(there.items()):
                out += packet(EVENT, b"list-sa", ike(slot, section(b"l2tp-1701-%d" % n, child(slot, n, "INSTALLED"))))
        elif name == b"load-conn":
            loaded["conns"].append(msg[2:2 + msg[1]])
        elif name == b"load-shared":
            loaded["shared"].append(msg[6:6 + msg[5]])      # "id" comes first
        elif name == b"get-conns":
            reply = words(b"conns", loaded["conns"])
        elif name in (b"get-shared", b"get-keys"):
            reply = words(b"keys", loaded["shared"] if name == b"get-shared" else [])
        return out + packet(RESPONSE, b"", reply)

    def flood():
        nonlocal number
        told.setblocking(True)
        said = []
        for i in range(events):
            slot, number, more = i % sas, number + 1, events - i > sas
            old, turn = there.get(slot), i // sas % 3
            if old is None:
                msg = packet(EVENT, b"child-updown", keys(up="yes") +
                             ike(slot, section(b"l2tp-1701-%d" % number, child(slot, number, "INSTALLED"))))
                there[slot] = number
            elif turn == 1 or not more:
                msg = packet(EVENT, b"child-rekey", ike(slot, section(b"l2tp-1701-%d" % number,
                             section(b"old", child(slot, old, "REKEYED")) + section(b"new", child(slot, number, "INSTALLED")))))
                there[slot] = number
            else:
                msg = packet(EVENT, b"child-updown", ike(slot, section(b"l2tp-1701-%d" % old, child(slot, old, "DELETED"))))
                del there[slot]
            said.append(msg)
            if i % 64 == 0:         # a charon that is silent for long is given up
                serve(0)
        begin = time.monotonic()
        for i in range(0, events, 16):
            told.sendall(b"".join(said[i:i + 16]))
            serve(0)
            late = begin + i / rate - time.monotonic() if rate else 0
            if late > 0:
                time.sleep(late)
        took = time.monotonic() - begin
        print("%d events in %.2f s: %.0f a second; %d SAs" % (events, took, events / took, len(there)), flush=True)

    pending, orders = {}, []

    def serve(timeout):
        for key, _ in sel.select(timeout):
            if key.fileobj is listener:
                conn, _ = listener.accept()
                pending[conn] = b""
                sel.register(conn, selectors.EVENT_READ, None)
            elif key.fileobj == 0:
                line = os.read(0, 100)
                orders.append(line)
                if not line:
                    sel.unregister(0)
            else:
                conn, data = key.fileobj, key.fileobj.recv(65536)
                if not data:
                    sel.unregister(conn)
                    conn.close()
                    continue
                pending[conn] += data
                while len(pending[conn]) >= 4:
                    size = struct.unpack("!I", pending[conn][:4])[0]
                    if len(pending[conn]) < 4 + size:
                        break
                    body, pending[conn] = pending[conn][4:4 + size], pending[conn][4 + size:]
                    conn.sendall(answer(conn, body[0], body[2:2 + body[1]], body[2 + body[1]:]))

    while True:
        serve(None)
        while orders:
            if orders.pop():
                flood()


main()
