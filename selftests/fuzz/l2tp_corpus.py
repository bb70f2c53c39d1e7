#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the seed corpora of the L2TP fuzzers: selftests/fuzz/l2tp_corpus.py DIRECTORY"""
import os, struct, sys

u16 = lambda v: struct.pack(">H", v)
u32 = lambda v: struct.pack(">I", v)
def avp(t, v, m=1, h=0, vendor=0):
    return struct.pack(">HHH", m << 15 | h << 14 | 6 + len(v), vendor, t) + v
def msg(t, *avps, tid=17, sid=0, ns=0, nr=0):
    b = (avp(0, u16(t)) if t else b"") + b"".join(avps)
    return struct.pack(">HHHHHH", 0xc802, 12 + len(b), tid, sid, ns, nr) + b

common = (avp(2, b"\1\0"), avp(3, u32(3)), avp(7, b"peer\0"), avp(9, u16(42)))
more = (avp(4, u32(3)), avp(6, u16(1), m=0), avp(8, b"vendor", m=0), avp(10, u16(8)))
result = avp(1, u16(2) + u16(6) + b"why")
messages = {
    "zlb": msg(0),
    "sccrq": msg(1, *common, *more, avp(5, bytes(8), m=0), avp(11, bytes(16)), tid=0),
    "sccrq_short": msg(1, *common, tid=0),
    "sccrp": msg(2, *common, *more, avp(11, bytes(16)), avp(13, bytes(16))),
    "sccrp_plain": msg(2, *common, *more),
    "scccn": msg(3, avp(13, bytes(16)), ns=1, nr=1),
    "stopccn": msg(4, avp(9, u16(42)), result),
    "stopccn_swapped": msg(4, avp(9, u16(42)), avp(1, b"\1\0\0\0" + bytes(6))),
    "hello": msg(6),
    "ocrq": msg(7, avp(14, u16(5)), avp(15, u32(1)), avp(16, u32(0)), avp(17, u32(9)), avp(18, u32(3)),
                avp(19, u32(3)), avp(21, b"123"), avp(23, b"x")),
    "ocrp": msg(8, avp(14, u16(5)), avp(25, u32(1), m=0), sid=100),
    "occn": msg(9, avp(24, u32(9)), avp(19, u32(1)), avp(38, u32(9), m=0), avp(39, b""), sid=100),
    "icrq": msg(10, avp(14, u16(5)), avp(15, u32(1)), avp(18, u32(1)), avp(22, b"1"), avp(21, b"2")),
    "icrp": msg(11, avp(14, u16(5)), sid=100),
    "iccn": msg(12, avp(24, u32(9)), avp(19, u32(1)), sid=100),
    "iccn_proxy": msg(12, avp(24, u32(9)), avp(19, u32(1)), avp(26, b"\1\4\5\xdc", m=0), avp(29, u16(2), m=0),
                      avp(30, b"u", m=0), avp(31, b"c", m=0), avp(32, u16(1), m=0), avp(33, b"r", m=0),
                      avp(37, b"g", m=0), sid=100),
    "cdn": msg(14, result, avp(14, u16(5)), avp(12, b"\0\1\2adv"), avp(46, u16(13) + u16(0xc023) + b"\1m", m=0), sid=100),
    "cdn_id0": msg(14, result, avp(14, u16(5))),
    "wen": msg(15, avp(34, bytes(26)), sid=100),
    "sli": msg(16, avp(35, bytes(10)), sid=100),
    "hidden": msg(10, avp(36, bytes(16)), avp(14, bytes(4), h=1), avp(22, bytes(40), h=1)),
    "vendor": msg(10, avp(2, b"agent", m=1, vendor=3561), avp(14, u16(5)), avp(15, u32(1))),
}
def rec(name, how=0):
    return bytes([how << 4 | 8, len(messages[name])]) + messages[name]
open_ = rec("sccrp_plain") + rec("zlb")
cc = {
    "dial": b"\0" + open_,
    "dial_secret": b"\4" + rec("sccrp"),
    "refused": b"\0" + rec("stopccn") + b"\2\2\2",
    "incoming_lac": b"\1" + open_ + b"\3" + rec("icrp") + rec("sli") + b"\x07" + rec("cdn"),
    "incoming_lns": b"\x30" + rec("icrq") + rec("iccn") + rec("wen") + rec("cdn") + rec("hello"),
    "proxy": b"\x3e" + rec("icrq") + rec("iccn_proxy") + b"\5",
    "outgoing_lns": b"\0" + open_ + b"\4" + rec("ocrp") + rec("occn") + b"\5",
    "outgoing_lac": b"\x30" + rec("ocrq") + b"\6" + rec("cdn_id0"),
    "withdrawn": b"\x30" + rec("cdn_id0", 1 << 1) + rec("icrq"),
    "early": b"\x30" + rec("iccn", 1 << 1) + rec("icrq") + rec("vendor", 2 << 1),
    "hidden": b"\x3c" + rec("hidden") + rec("hello", 8),
    "timeouts": b"\0\2\2\2\2\2\2\2\2" + open_ + b"\2\2\2\2\2\2\2\2\2",
}
def ho(*names, who=0):
    return b"".join(bytes([who, 10, len(messages[n])]) + messages[n] for n in names)
scccn1 = bytearray(messages["scccn"]); scccn1[4:6] = u16(1)
messages["scccn1"] = bytes(scccn1)
stop1 = bytearray(messages["stopccn"]); stop1[4:6] = u16(1); stop1[8:12] = u16(1) + u16(1)
messages["stop1"] = bytes(stop1)
halfopen = {
    "accept": b"\0" + ho("sccrq_short", "sccrq_short", "scccn1"),
    "challenge": b"\4" + ho("sccrq", "scccn1"),
    "stop": b"\5" + ho("sccrq_short", "stop1", "sccrq_short"),
    "many": b"\0" + b"".join(ho("sccrq_short", who=w) for w in range(0, 256, 9)),
}
for name, files in (("l2tp_msg", messages), ("l2tp_cc", cc), ("l2tp_halfopen", halfopen)):
    os.makedirs(os.path.join(sys.argv[1], name), exist_ok=True)
    for f, octets in files.items():
        with open(os.path.join(sys.argv[1], name, f), "wb") as out:
            out.write(octets)
