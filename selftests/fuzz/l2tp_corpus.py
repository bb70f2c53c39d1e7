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
# L2TPv3 (RFC 3931); digests are made right by the fuzzers, where they can be
u64 = lambda v: struct.pack(">Q", v)
def v3(t, *avps, cc=17, ns=0, nr=0, ver=3):
    b = (avp(0, u16(t)) if t else b"") + b"".join(avps)
    return struct.pack(">HHIHH", 0xc800 | ver, 12 + len(b), cc, ns, nr) + b
digest = avp(59, bytes(17))
ids3 = lambda a, b: (avp(63, u32(a)), avp(64, u32(b)))
start3 = (avp(7, b"peer"), avp(60, u32(9)), avp(61, u32(42)), avp(62, u16(5) + u16(4) + u16(7)))
call3 = (avp(15, u32(1), m=0), avp(66, b"x"), avp(68, u16(5)), avp(71, u16(3)))
extra3 = (avp(65, b"12345678"), avp(69, u16(1)), avp(70, u16(2)), avp(74, u64(9), m=0), avp(75, u64(9), m=0))
messages3 = {
    "zlb": v3(0), "ack": v3(20), "ack_digest": v3(20, digest),
    "sccrq": v3(1, *start3, avp(10, u16(8)), avp(8, b"v", m=0), avp(72, b"en", m=0), avp(5, bytes(8)), cc=0),
    "sccrq_digest": v3(1, digest, avp(73, bytes(16)), *start3, cc=0),
    "sccrq_two": v3(1, digest, avp(59, b"\1" + bytes(20)), avp(73, bytes(16)), *start3, cc=0),
    "sccrq_both": v3(1, *[avp(t, v, m=0) for t, v in ((60, u32(9)), (61, u32(42)), (62, u16(5)))], avp(7, b"peer"),
                     avp(2, b"\1\0"), avp(3, u32(3)), avp(9, u16(7)), cc=0, ver=2),
    "sccrp": v3(2, *start3, avp(10, u16(8))),
    "scccn": v3(3), "stopccn": v3(4, avp(61, u32(42)), result), "hello": v3(6),
    "icrq": v3(10, *ids3(5, 0), *call3, *extra3), "icrq_tie": v3(10, *ids3(5, 0), *call3, avp(5, bytes(8))),
    "icrq_late": v3(10, *ids3(5, 0), *call3, avp(5, b"\xff" * 8)), "icrq_ppp": v3(10, *ids3(5, 0), *call3, avp(68, u16(40))),
    "icrp": v3(11, *ids3(5, 100), avp(71, u16(3)), *extra3, avp(25, u32(1), m=0)),
    "iccn": v3(12, *ids3(5, 100), avp(69, u16(0)), avp(71, u16(1))),
    "ocrq": v3(7, *ids3(5, 0), *call3), "ocrp": v3(8, *ids3(5, 100), avp(71, u16(3))), "occn": v3(9, *ids3(5, 100)),
    "cdn": v3(14, result, *ids3(5, 100)), "cdn_id0": v3(14, result, *ids3(5, 0)),
    "wen": v3(15, *ids3(5, 100), avp(34, bytes(26), m=0)), "sli": v3(16, *ids3(5, 100), avp(71, u16(0))),
    "hidden": v3(10, avp(36, bytes(16)), avp(63, bytes(6), h=1), avp(66, bytes(40), h=1), avp(65, bytes(10), h=1)),
    "vendor": v3(10, avp(58, bytes(12), m=0), avp(1, b"x", vendor=9), *ids3(5, 0)),
}
def rec3(name, how=0):
    return bytes([how << 4 | 8, len(messages3[name])]) + messages3[name]
cc3 = {}
for label, conf in (("plain", 0), ("signed", 4), ("hidden", 4 | 8 | 2), ("two", 4 | 32), ("strict", 2)):
    dial, take = bytes([conf]) + rec3("sccrp") + rec3("ack"), bytes([conf | 16]) + rec3("scccn")
    cc3.update({
        label + "_icrq_out": dial + b"\3" + rec3("icrp") + rec3("sli") + b"\x07" + rec3("cdn"),
        label + "_icrq_in": take + rec3("icrq") + rec3("iccn") + rec3("wen") + rec3("cdn_id0") + rec3("hello"),
        label + "_ocrq_out": dial + b"\4" + rec3("ocrp") + rec3("occn") + b"\5",
        label + "_ocrq_in": take + rec3("ocrq") + b"\6" + rec3("cdn"),
        label + "_tie": dial + b"\3" + rec3("icrq_tie"), label + "_tie_won": dial + b"\3" + rec3("icrq_late"),
        label + "_tie_none": bytes([conf | 64]) + dial[1:] + b"\3" + rec3("icrq"),
        label + "_refused": bytes([conf]) + rec3("stopccn") + b"\2\2\2", label + "_early": take + rec3("icrq", 2) + rec3("hello"),
        label + "_forged": take + rec3("stopccn", 1) + rec3("hidden") + rec3("vendor") + rec3("icrq_ppp"),
        label + "_stray": take + rec3("icrp") + rec3("occn") + rec3("zlb") + b"\2\2\2\2\2\2\2\2\2\2\2\2",
    })
cc3["fallback"] = b"\x80" + bytes([1 << 4 | 8]) + bytes([len(messages["sccrp_plain"])]) + messages["sccrp_plain"][:4] + b"\0\5" + messages["sccrp_plain"][6:]
for name, files in (("l2tp_msg", messages), ("l2tp_cc", cc), ("l2tp_halfopen", halfopen),
                    ("v3_msg", messages3), ("v3_cc", cc3)):
    os.makedirs(os.path.join(sys.argv[1], name), exist_ok=True)
    for f, octets in files.items():
        with open(os.path.join(sys.argv[1], name, f), "wb") as out:
            out.write(octets)
