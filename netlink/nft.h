/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nf_tables by netlink: requests are written one after another into a buffer and sent as one transaction, all or nothing.
 * The table belongs to the socket that makes it (NFT_TABLE_F_OWNER): nobody else can change or flush it, and the kernel
 * removes it with the socket.  Family "inet" throughout; values in network order as in the packet. */
#pragma once

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised; nft_done() frees it.  A failed one (no memory) takes no more and is not sent. */
struct nft { char *p; size_t len, room, message; uint32_t first, seq; const char *table; bool failed; };

/* A netlink socket for nf_tables: fd or -errno. */
int nft_open(void);
/* An empty transaction for this table (the name stays the caller's).  What was in the buffer is forgotten. */
void nft_begin(struct nft *, const char *table);
/* Sends it.  0 or the kernel's first -errno; nothing was done then.  Any thread, one at a time for one socket. */
int nft_commit(struct nft *, int fd);
void nft_done(struct nft *);

void nft_table(struct nft *, bool make);
/* hook: NF_INET_*, or -1 for a chain that is jumped to.  Making one that is there changes nothing. */
void nft_chain(struct nft *, const char *chain, int hook, int priority);
void nft_chain_delete(struct nft *, const char *chain);
/* Removes the chain's rules. */
void nft_chain_flush(struct nft *, const char *chain);
/* key_type: of nft's own list of types, and whether it is in network order: for who lists the table. */
void nft_set(struct nft *, const char *set, uint32_t key_type, unsigned key_len, bool network);
/* One element in or out.  In: it may be there already.  Out: -ENOENT if it is not. */
void nft_element(struct nft *, bool in, const char *set, const void *key, size_t len);

/* A rule: nft_rule(), expressions, nft_rule_end().  At the end of the chain, or (first) before all others.
 * Registers are 0..15, of four octets each; comment: for who lists the table, or NULL. */
size_t nft_rule(struct nft *, const char *chain, bool first);
void nft_rule_end(struct nft *, size_t rule, const char *comment);
void nft_meta(struct nft *, enum nft_meta_keys, unsigned reg);
/* Is there an IPsec policy on the packet's way out? */
void nft_route_ipsec(struct nft *, unsigned reg);
/* 1 in the register's first octet if the IPv6 packet is a fragment. */
void nft_fragment(struct nft *, unsigned reg);
/* The TCP MSS that the packet's way leaves room for, there and back (forward chains only); in network order. */
void nft_route_mss(struct nft *, unsigned reg);
/* Makes a TCP packet's MSS option the register's, unless it is less already. */
void nft_lower_mss(struct nft *, unsigned reg);
void nft_payload(struct nft *, enum nft_payload_bases, unsigned offset, unsigned len, unsigned reg);
void nft_and(struct nft *, unsigned reg, const void *mask, size_t len);
/* The rule goes on if the register is (not) this value, is (not) in the set. */
void nft_cmp(struct nft *, bool equal, unsigned reg, const void *value, size_t len);
void nft_lookup(struct nft *, bool in, const char *set, unsigned reg);
void nft_load(struct nft *, unsigned reg, const void *value, size_t len);
void nft_counter(struct nft *);
/* code: NF_ACCEPT, NF_DROP, NFT_JUMP or NFT_GOTO with a chain. */
void nft_verdict(struct nft *, int code, const char *chain);

/* Packets and octets that this chain's rules with a counter have seen, added to *packets and *octets.  0 or -errno;
 * -ENOENT: there is no such table or chain. */
int nft_count(struct nft *, int fd, const char *table, const char *chain, uint64_t *packets, uint64_t *octets);
