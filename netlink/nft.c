/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096, ANSWER_SIZE = 32768, FRAGMENT_HEADER = 44, TCP_OPTION_MSS = 2 };

/* The buffer */

static void *room_for(struct nft *b, size_t len)
{
	size_t padded = NLMSG_ALIGN(len), room = b->room ? b->room : FIRST_ROOM;
	char *p;

	while (room - b->len < padded)
		room *= 2;
	if (!b->failed && room != b->room) {
		p = realloc(b->p, room);
		b->failed = !p;
		if (p) {
			b->p = p;
			b->room = room;
		}
	}
	if (b->failed)
		return NULL;
	p = b->p + b->len;
	memset(p, 0, padded);
	b->len += padded;
	return p;
}

static void put(struct nft *b, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = room_for(b, NLA_HDRLEN + len);

	if (!a)
		return;
	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
}

static void put_u32(struct nft *b, uint16_t type, uint32_t number)
{
	number = htonl(number);
	put(b, type, &number, sizeof(number));
}

static void put_text(struct nft *b, uint16_t type, const char *text)
{
	put(b, type, text, strlen(text) + 1);
}

static size_t nest(struct nft *b, uint16_t type)
{
	size_t at = b->len;

	put(b, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static void nest_end(struct nft *b, size_t at)
{
	if (!b->failed)
		((struct nlattr *)(void *)(b->p + at))->nla_len = (uint16_t)(b->len - at);
}

static void message_end(struct nft *b)
{
	if (!b->failed && b->len)
		((struct nlmsghdr *)(void *)(b->p + b->message))->nlmsg_len = (uint32_t)(b->len - b->message);
}

static void message(struct nft *b, uint16_t type, uint16_t flags, uint8_t family, uint16_t res_id)
{
	struct nfgenmsg *g;
	struct nlmsghdr *h;

	message_end(b);
	b->message = b->len;
	h = room_for(b, NLMSG_HDRLEN);
	if (h) {
		h->nlmsg_type = type;
		h->nlmsg_flags = NLM_F_REQUEST | flags;
		h->nlmsg_seq = ++b->seq;
	}
	g = room_for(b, sizeof(*g));
	if (g) {
		g->nfgen_family = family;
		g->version = NFNETLINK_V0;
		g->res_id = htons(res_id);
	}
}

static void request(struct nft *b, uint16_t type, uint16_t flags)
{
	message(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET, 0);
}

void nft_begin(struct nft *b, const char *table)
{
	b->len = b->message = 0;
	b->failed = false;
	b->table = table;
	message(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	b->first = b->seq;
}

void nft_done(struct nft *b)
{
	free(b->p);
	*b = (struct nft){ 0 };
}

/* The socket */

int nft_open(void)
{
	int one = 1, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return fd;
}

static int transmit(int fd, const void *p, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	do
		n = sendto(fd, p, len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* The kernel works inside sendto(), and all that it has to say is queued when that returns. */
int nft_commit(struct nft *b, int fd)
{
	_Alignas(struct nlmsghdr) char answer[1024];
	bool heard = false;
	int err, first = 0;
	ssize_t n;

	if (!b->failed)		/* the last request is acknowledged */
		((struct nlmsghdr *)(void *)(b->p + b->message))->nlmsg_flags |= NLM_F_ACK;
	message(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(b);
	err = b->failed ? -ENOMEM : transmit(fd, b->p, b->len);
	while (!err && ((n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT)) >= 0 || errno == EINTR)) {
		size_t left = n < 0 ? 0 : (size_t)n;

		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(int)) || h->nlmsg_seq < b->first)
				continue;
			heard = true;
			if (!first)
				first = e->error;
		}
	}
	if (!err && !heard)
		err = errno == EAGAIN ? -EPROTO : -errno;
	return err ? err : first;
}

/* Tables, chains, sets */

void nft_table(struct nft *b, bool make)
{
	request(b, make ? NFT_MSG_NEWTABLE : NFT_MSG_DELTABLE, make ? NLM_F_CREATE : 0);
	put_text(b, NFTA_TABLE_NAME, b->table);
	if (make)
		put_u32(b, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
}

void nft_chain(struct nft *b, const char *chain, int hook, int priority)
{
	size_t at;

	request(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	put_text(b, NFTA_CHAIN_TABLE, b->table);
	put_text(b, NFTA_CHAIN_NAME, chain);
	if (hook < 0)
		return;
	put_text(b, NFTA_CHAIN_TYPE, "filter");
	at = nest(b, NFTA_CHAIN_HOOK);
	put_u32(b, NFTA_HOOK_HOOKNUM, (uint32_t)hook);
	put_u32(b, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nest_end(b, at);
}

void nft_chain_delete(struct nft *b, const char *chain)
{
	request(b, NFT_MSG_DELCHAIN, 0);
	put_text(b, NFTA_CHAIN_TABLE, b->table);
	put_text(b, NFTA_CHAIN_NAME, chain);
}

void nft_chain_flush(struct nft *b, const char *chain)
{
	request(b, NFT_MSG_DELRULE, 0);
	put_text(b, NFTA_RULE_TABLE, b->table);
	put_text(b, NFTA_RULE_CHAIN, chain);
}

void nft_set(struct nft *b, const char *set, uint32_t key_type, unsigned key_len, bool network)
{
	uint8_t data[6] = { 0, 4 };	/* nft(8)'s: the keys' byte order, in four octets */
	uint32_t order = network ? 2 : 1;

	memcpy(data + 2, &order, sizeof(order));
	request(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	put_text(b, NFTA_SET_TABLE, b->table);
	put_text(b, NFTA_SET_NAME, set);
	put_u32(b, NFTA_SET_FLAGS, 0);
	put_u32(b, NFTA_SET_KEY_TYPE, key_type);
	put_u32(b, NFTA_SET_KEY_LEN, key_len);
	put_u32(b, NFTA_SET_ID, b->seq);
	put(b, NFTA_SET_USERDATA, data, sizeof(data));
}

void nft_element(struct nft *b, bool in, const char *set, const void *key, size_t len)
{
	size_t list, one, value;

	request(b, in ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, in ? NLM_F_CREATE : 0);
	put_text(b, NFTA_SET_ELEM_LIST_TABLE, b->table);
	put_text(b, NFTA_SET_ELEM_LIST_SET, set);
	list = nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	one = nest(b, NFTA_LIST_ELEM);
	value = nest(b, NFTA_SET_ELEM_KEY);
	put(b, NFTA_DATA_VALUE, key, len);
	nest_end(b, value);
	nest_end(b, one);
	nest_end(b, list);
}

/* Rules */

size_t nft_rule(struct nft *b, const char *chain, bool first)
{
	request(b, NFT_MSG_NEWRULE, (uint16_t)(NLM_F_CREATE | (first ? 0 : NLM_F_APPEND)));
	put_text(b, NFTA_RULE_TABLE, b->table);
	put_text(b, NFTA_RULE_CHAIN, chain);
	return nest(b, NFTA_RULE_EXPRESSIONS);
}

/* nft(8) keeps its comments as type 0, length, text. */
void nft_rule_end(struct nft *b, size_t rule, const char *comment)
{
	uint8_t data[2 + 64] = { 0 };
	size_t len = comment ? strlen(comment) + 1 : 0;

	nest_end(b, rule);
	if (!comment || len > sizeof(data) - 2)
		return;
	data[1] = (uint8_t)len;
	memcpy(data + 2, comment, len);
	put(b, NFTA_RULE_USERDATA, data, 2 + len);
}

struct expression { size_t element, data; };

static struct expression expression(struct nft *b, const char *name)
{
	struct expression x;

	x.element = nest(b, NFTA_LIST_ELEM);
	put_text(b, NFTA_EXPR_NAME, name);
	x.data = nest(b, NFTA_EXPR_DATA);
	return x;
}

static void expression_end(struct nft *b, struct expression x)
{
	nest_end(b, x.data);
	nest_end(b, x.element);
}

static void put_reg(struct nft *b, uint16_t type, unsigned reg)
{
	put_u32(b, type, NFT_REG32_00 + reg);
}

static void put_value(struct nft *b, uint16_t type, const void *value, size_t len)
{
	size_t at = nest(b, type);

	put(b, NFTA_DATA_VALUE, value, len);
	nest_end(b, at);
}

void nft_meta(struct nft *b, enum nft_meta_keys key, unsigned reg)
{
	struct expression x = expression(b, "meta");

	put_reg(b, NFTA_META_DREG, reg);
	put_u32(b, NFTA_META_KEY, key);
	expression_end(b, x);
}

void nft_route_ipsec(struct nft *b, unsigned reg)
{
	struct expression x = expression(b, "rt");

	put_reg(b, NFTA_RT_DREG, reg);
	put_u32(b, NFTA_RT_KEY, NFT_RT_XFRM);
	expression_end(b, x);
}

void nft_fragment(struct nft *b, unsigned reg)
{
	struct expression x = expression(b, "exthdr");
	uint8_t type = FRAGMENT_HEADER;

	put_reg(b, NFTA_EXTHDR_DREG, reg);
	put(b, NFTA_EXTHDR_TYPE, &type, sizeof(type));
	put_u32(b, NFTA_EXTHDR_OFFSET, 0);
	put_u32(b, NFTA_EXTHDR_LEN, 1);
	put_u32(b, NFTA_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT);
	expression_end(b, x);
}

void nft_route_mss(struct nft *b, unsigned reg)
{
	struct expression x = expression(b, "rt");

	put_reg(b, NFTA_RT_DREG, reg);
	put_u32(b, NFTA_RT_KEY, NFT_RT_TCPMSS);
	expression_end(b, x);
	x = expression(b, "byteorder");
	put_reg(b, NFTA_BYTEORDER_SREG, reg);
	put_reg(b, NFTA_BYTEORDER_DREG, reg);
	put_u32(b, NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	put_u32(b, NFTA_BYTEORDER_LEN, 2);
	put_u32(b, NFTA_BYTEORDER_SIZE, 2);
	expression_end(b, x);
}

void nft_lower_mss(struct nft *b, unsigned reg)
{
	struct expression x = expression(b, "exthdr");
	uint8_t type = TCP_OPTION_MSS;

	put_reg(b, NFTA_EXTHDR_SREG, reg);
	put(b, NFTA_EXTHDR_TYPE, &type, sizeof(type));
	put_u32(b, NFTA_EXTHDR_OFFSET, 2);
	put_u32(b, NFTA_EXTHDR_LEN, 2);
	put_u32(b, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	expression_end(b, x);
}

void nft_payload(struct nft *b, enum nft_payload_bases base, unsigned offset, unsigned len, unsigned reg)
{
	struct expression x = expression(b, "payload");

	put_reg(b, NFTA_PAYLOAD_DREG, reg);
	put_u32(b, NFTA_PAYLOAD_BASE, base);
	put_u32(b, NFTA_PAYLOAD_OFFSET, offset);
	put_u32(b, NFTA_PAYLOAD_LEN, len);
	expression_end(b, x);
}

void nft_and(struct nft *b, unsigned reg, const void *mask, size_t len)
{
	static const uint8_t zero[16];
	struct expression x = expression(b, "bitwise");

	put_reg(b, NFTA_BITWISE_SREG, reg);
	put_reg(b, NFTA_BITWISE_DREG, reg);
	put_u32(b, NFTA_BITWISE_LEN, (uint32_t)len);
	put_value(b, NFTA_BITWISE_MASK, mask, len);
	put_value(b, NFTA_BITWISE_XOR, zero, len);
	expression_end(b, x);
}

void nft_cmp(struct nft *b, bool equal, unsigned reg, const void *value, size_t len)
{
	struct expression x = expression(b, "cmp");

	put_reg(b, NFTA_CMP_SREG, reg);
	put_u32(b, NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	put_value(b, NFTA_CMP_DATA, value, len);
	expression_end(b, x);
}

void nft_lookup(struct nft *b, bool in, const char *set, unsigned reg)
{
	struct expression x = expression(b, "lookup");

	put_text(b, NFTA_LOOKUP_SET, set);
	put_reg(b, NFTA_LOOKUP_SREG, reg);
	if (!in)
		put_u32(b, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expression_end(b, x);
}

void nft_load(struct nft *b, unsigned reg, const void *value, size_t len)
{
	struct expression x = expression(b, "immediate");

	put_reg(b, NFTA_IMMEDIATE_DREG, reg);
	put_value(b, NFTA_IMMEDIATE_DATA, value, len);
	expression_end(b, x);
}

void nft_counter(struct nft *b)
{
	expression_end(b, expression(b, "counter"));
}

void nft_verdict(struct nft *b, int code, const char *chain)
{
	struct expression x = expression(b, "immediate");
	size_t data, verdict;

	put_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nest(b, NFTA_DATA_VERDICT);
	put_u32(b, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		put_text(b, NFTA_VERDICT_CHAIN, chain);
	nest_end(b, verdict);
	nest_end(b, data);
	expression_end(b, x);
}

/* Counters */

/* The attribute of this type among len octets of attributes; NULL: none.  *ret_len: of its value. */
static const char *find(const char *p, size_t len, uint16_t type, size_t *ret_len)
{
	while (len >= NLA_HDRLEN) {
		struct nlattr a;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > len)
			break;
		if ((a.nla_type & NLA_TYPE_MASK) == type) {
			*ret_len = a.nla_len - NLA_HDRLEN;
			return p + NLA_HDRLEN;
		}
		if ((size_t)NLA_ALIGN(a.nla_len) >= len)
			break;
		p += NLA_ALIGN(a.nla_len);
		len -= NLA_ALIGN(a.nla_len);
	}
	return NULL;
}

static uint64_t find_u64(const char *p, size_t len, uint16_t type)
{
	uint64_t number = 0;
	size_t n = 0;
	const char *v = find(p, len, type, &n);

	if (v && n == sizeof(number))
		for (unsigned i = 0; i < sizeof(number); i++)
			number = number << 8 | (uint8_t)v[i];
	return number;
}

/* One rule, as the kernel lists it. */
static void count_rule(const char *p, size_t len, uint64_t *packets, uint64_t *octets)
{
	const char *list = find(p, len, NFTA_RULE_EXPRESSIONS, &len), *one, *name, *data;
	size_t n, name_len, data_len;

	while (list && len && (one = find(list, len, NFTA_LIST_ELEM, &n))) {
		name = find(one, n, NFTA_EXPR_NAME, &name_len);
		data = find(one, n, NFTA_EXPR_DATA, &data_len);
		if (name && data && name_len == sizeof("counter") && !memcmp(name, "counter", name_len)) {
			*packets += find_u64(data, data_len, NFTA_COUNTER_PACKETS);
			*octets += find_u64(data, data_len, NFTA_COUNTER_BYTES);
		}
		n = (size_t)(one - list) + NLA_ALIGN(n);
		len -= n < len ? n : len;
		list += n;
	}
}

int nft_count(struct nft *b, int fd, const char *table, const char *chain, uint64_t *packets, uint64_t *octets)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE];
	int err;

	b->len = b->message = 0;
	b->failed = false;
	request(b, NFT_MSG_GETRULE, NLM_F_DUMP);
	put_text(b, NFTA_RULE_TABLE, table);
	put_text(b, NFTA_RULE_CHAIN, chain);
	message_end(b);
	err = b->failed ? -ENOMEM : transmit(fd, b->p, b->len);
	while (!err) {
		ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		size_t left = n < 0 ? 0 : (size_t)n;

		if (n < 0 && errno != EINTR)
			return -errno;
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			size_t skip = NLMSG_LENGTH(sizeof(struct nfgenmsg));

			if (h->nlmsg_seq != b->seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return h->nlmsg_len < NLMSG_LENGTH(sizeof(int)) ? -EPROTO : *(const int *)NLMSG_DATA(h);
			if (h->nlmsg_len > skip)
				count_rule((const char *)h + skip, h->nlmsg_len - skip, packets, octets);
		}
	}
	return err;
}
