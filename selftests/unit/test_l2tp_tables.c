/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state tables against the rows of RFC 2661 7.2.1, 7.4.1, 7.4.2, 7.5.1 and 7.5.2, and of RFC 3931 7.2, 7.3.1, 7.3.2, 7.4.1
 * and 7.4.2, and nothing beside them but what is named here as ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "l2tp/v2_step.h"
#include "l2tp/v3_step.h"

/* States and events are lists of the RFC's words; SEND "-": nothing.  CLEAN: "Clean up". */
struct rule { const char *states, *events, *send; bool clean; const char *next; };

enum { N_ACTS = 8 };

static const char *const cc_send[N_ACTS] = { "SCCRQ", "SCCCN", "StopCCN", "up", "" };
static const char *const call_send[N_ACTS] = { "RQ", "RP", "CN", "CDN", "CDN-for-losing", "place", "up", "" };

/* Rows of 7.2.1.  "tunnel-open event to waiting sessions" is "up". */
static const struct rule cc_rules[] = {
	{ "idle", "local open request", "SCCRQ", false, "wait-ctl-reply" },
	{ "idle", "SCCRQ", "-", false, "wait-ctl-conn" },		/* SCCRP: halfopen.c */
	{ "idle", "SCCRP,unacceptable SCCRP", "StopCCN", true, "idle" },
	{ "idle", "SCCCN,unacceptable SCCCN", "-", true, "idle" },
	{ "wait-ctl-reply", "SCCRP", "SCCCN,up", false, "established" },
	{ "wait-ctl-reply", "unacceptable SCCRP", "StopCCN", true, "idle" },
	{ "wait-ctl-reply", "lost tie-breaker", "-", true, "idle" },
	{ "wait-ctl-reply", "SCCCN,unacceptable SCCCN", "StopCCN", true, "idle" },
	{ "wait-ctl-conn", "SCCCN", "up", false, "established" },
	{ "wait-ctl-conn", "unacceptable SCCCN", "StopCCN", true, "idle" },
	{ "wait-ctl-conn", "SCCRP,unacceptable SCCRP,SCCRQ", "StopCCN", true, "idle" },
	{ "established", "local close request", "StopCCN", true, "idle" },
	{ "established", "SCCRQ,SCCRP,unacceptable SCCRP,SCCCN,unacceptable SCCCN", "StopCCN", true, "idle" },
	{ "idle,wait-ctl-reply,wait-ctl-conn,established", "StopCCN", "-", true, "idle" },
	/* ours */
	{ "wait-ctl-reply,wait-ctl-conn", "local close request", "StopCCN", true, "idle" },
	{ "wait-ctl-reply,wait-ctl-conn,established", "no answer", "-", true, "idle" },
};

static const struct rule lac_in[] = {	/* 7.4.1 */
	{ "idle", "local open request", "-", false, "wait-tunnel" },
	{ "idle", "ICCN,unacceptable ICCN,ICRP,unacceptable ICRP,CDN", "-", true, "idle" },
	{ "wait-tunnel", "local close request", "-", true, "idle" },
	{ "wait-tunnel", "tunnel-open", "RQ", false, "wait-reply" },
	{ "wait-reply", "ICRP", "CN,up", false, "established" },
	{ "wait-reply", "unacceptable ICRP", "CDN", true, "idle" },
	{ "wait-reply", "ICRQ", "CDN", true, "idle" },
	{ "wait-reply", "CDN,ICCN,unacceptable ICCN", "-", true, "idle" },
	{ "wait-reply", "local close request", "CDN", true, "idle" },
	{ "established", "CDN", "-", true, "idle" },
	{ "established", "ICRQ,ICRP,unacceptable ICRP,ICCN,unacceptable ICCN", "CDN", true, "idle" },
	{ "established", "local close request", "CDN", true, "idle" },
	{ "wait-tunnel,wait-reply,established", "tunnel cleared", "-", true, "idle" },	/* 6.4 */
};

static const struct rule lns_in[] = {	/* 7.4.2 */
	{ "idle", "ICRQ", "RP", false, "wait-connect" },
	{ "idle", "unacceptable ICRQ", "CDN", true, "idle" },
	{ "idle", "ICRP,unacceptable ICRP", "CDN", true, "idle" },
	{ "idle", "ICCN,unacceptable ICCN", "-", true, "idle" },
	{ "wait-connect", "ICCN", "up", false, "established" },
	{ "wait-connect", "unacceptable ICCN", "CDN", true, "idle" },
	{ "wait-connect", "ICRQ,unacceptable ICRQ,ICRP,unacceptable ICRP", "CDN", true, "idle" },
	{ "idle,wait-connect,established", "CDN", "-", true, "idle" },
	{ "wait-connect,established", "local close request", "CDN", true, "idle" },
	{ "established", "ICRQ,unacceptable ICRQ,ICRP,unacceptable ICRP,ICCN,unacceptable ICCN", "CDN", true,
	  "idle" },
	{ "wait-connect,established", "tunnel cleared", "-", true, "idle" },
};

static const struct rule lac_out[] = {	/* 7.5.1 */
	{ "idle", "OCRQ", "RP,place", false, "wait-cs-answer" },
	{ "idle", "unacceptable OCRQ", "CDN", true, "idle" },
	{ "idle", "OCRP,unacceptable OCRP", "CDN", true, "idle" },
	{ "idle", "OCCN,unacceptable OCCN,CDN", "-", true, "idle" },
	{ "wait-cs-answer", "bearer answer", "CN,up", false, "established" },
	{ "wait-cs-answer", "local close request", "CDN", true, "idle" },
	{ "wait-cs-answer,established", "OCRQ,unacceptable OCRQ,OCRP,unacceptable OCRP,OCCN,unacceptable OCCN",
	  "CDN", true, "idle" },
	{ "wait-cs-answer,established", "CDN", "-", true, "idle" },
	{ "established", "local close request", "CDN", true, "idle" },
	{ "wait-cs-answer,established", "tunnel cleared", "-", true, "idle" },
};

static const struct rule lns_out[] = {	/* 7.5.2 */
	{ "idle", "local open request", "-", false, "wait-tunnel" },
	{ "idle", "OCCN,unacceptable OCCN,OCRP,unacceptable OCRP,CDN", "-", true, "idle" },
	{ "wait-tunnel", "tunnel-open", "RQ", false, "wait-reply" },
	{ "wait-reply", "OCRP", "-", false, "wait-connect" },
	{ "wait-reply", "unacceptable OCRP", "CDN", true, "idle" },
	{ "wait-reply", "OCCN,unacceptable OCCN,OCRQ", "CDN", true, "idle" },
	{ "wait-connect", "OCCN", "up", false, "established" },
	{ "wait-connect", "unacceptable OCCN", "CDN", true, "idle" },
	{ "wait-connect", "OCRQ,OCRP,unacceptable OCRP", "CDN", true, "idle" },
	{ "wait-reply,wait-connect,established", "CDN", "-", true, "idle" },
	{ "established", "OCRQ,OCRP,unacceptable OCRP,OCCN,unacceptable OCCN", "CDN", true, "idle" },
	{ "wait-reply,wait-connect,established", "local close request", "CDN", true, "idle" },
	{ "wait-tunnel", "local close request", "-", true, "idle" },
	{ "wait-tunnel,wait-reply,wait-connect,established", "tunnel cleared", "-", true, "idle" },
};

/* Rows of RFC 3931 7.2.  "control-conn open event to waiting sessions" is "up". */
static const struct rule v3_cc_rules[] = {
	{ "idle", "local open request", "SCCRQ", false, "wait-ctl-reply" },
	{ "idle", "SCCRQ", "-", false, "wait-ctl-conn" },		/* SCCRP, and what is not acceptable: v3_halfopen.c */
	{ "idle", "SCCRP,unacceptable SCCRP", "StopCCN", true, "idle" },
	{ "idle", "SCCCN,unacceptable SCCCN", "StopCCN", true, "idle" },
	{ "wait-ctl-reply", "SCCRP", "SCCCN,up", false, "established" },
	{ "wait-ctl-reply", "unacceptable SCCRP", "StopCCN", true, "idle" },
	{ "wait-ctl-reply", "lost tie-breaker", "-", true, "idle" },	/* the winner's is wait-ctl-conn in v3_halfopen.c */
	{ "wait-ctl-reply", "SCCCN,unacceptable SCCCN", "StopCCN", true, "idle" },
	{ "wait-ctl-conn", "SCCCN", "up", false, "established" },
	{ "wait-ctl-conn", "unacceptable SCCCN", "StopCCN", true, "idle" },
	{ "wait-ctl-conn", "SCCRP,unacceptable SCCRP,SCCRQ", "StopCCN", true, "idle" },
	{ "established", "local close request", "StopCCN", true, "idle" },
	{ "established", "SCCRQ,SCCRP,unacceptable SCCRP,SCCCN,unacceptable SCCCN", "StopCCN", true, "idle" },
	{ "idle,wait-ctl-reply,wait-ctl-conn,established", "StopCCN", "-", true, "idle" },
	/* ours */
	{ "wait-ctl-reply,wait-ctl-conn", "local close request", "StopCCN", true, "idle" },
	{ "wait-ctl-reply,wait-ctl-conn,established", "no answer", "-", true, "idle" },
};

static const struct rule icrq_sender[] = {	/* 7.3.1 */
	{ "idle", "local open request", "-", false, "wait-control-conn" },
	{ "idle", "ICCN,unacceptable ICCN,ICRP,unacceptable ICRP,CDN", "-", true, "idle" },
	{ "wait-control-conn", "local close request", "-", true, "idle" },
	{ "wait-control-conn", "control-conn-open", "RQ", false, "wait-reply" },
	{ "wait-reply", "ICRP", "CN,up", false, "established" },
	{ "wait-reply", "unacceptable ICRP", "CDN", true, "idle" },
	{ "wait-reply", "lost tie breaker", "-", true, "idle" },	/* the ICRQ is processed as by a recipient */
	{ "wait-reply", "won tie breaker", "CDN-for-losing", false, "wait-reply" },
	{ "wait-reply", "CDN,ICCN,unacceptable ICCN", "-", true, "idle" },
	{ "wait-reply", "local close request", "CDN", true, "idle" },
	{ "established", "CDN", "-", true, "idle" },
	{ "established", "ICRQ,unacceptable ICRQ,ICRP,unacceptable ICRP,ICCN,unacceptable ICCN", "CDN", true, "idle" },
	{ "established", "local close request", "CDN", true, "idle" },
	{ "wait-control-conn,wait-reply,established", "control connection cleared", "-", true, "idle" },	/* 6.4 */
};

static const struct rule icrq_recipient[] = {	/* 7.3.2 */
	{ "idle", "ICRQ", "RP", false, "wait-connect" },
	{ "idle", "unacceptable ICRQ", "CDN", true, "idle" },
	{ "idle", "ICRP,unacceptable ICRP", "CDN", true, "idle" },
	{ "idle", "ICCN,unacceptable ICCN", "-", true, "idle" },
	{ "wait-connect", "ICCN", "up", false, "established" },
	{ "wait-connect", "unacceptable ICCN", "CDN", true, "idle" },
	{ "wait-connect", "ICRQ,unacceptable ICRQ,ICRP,unacceptable ICRP", "CDN", true, "idle" },
	{ "idle,wait-connect,established", "CDN", "-", true, "idle" },
	{ "wait-connect,established", "local close request", "CDN", true, "idle" },
	{ "established", "ICRQ,unacceptable ICRQ,ICRP,unacceptable ICRP,ICCN,unacceptable ICCN", "CDN", true, "idle" },
	{ "wait-connect,established", "control connection cleared", "-", true, "idle" },
};

static const struct rule ocrq_sender[] = {	/* 7.4.1 */
	{ "idle", "local open request", "-", false, "wait-control-conn" },
	{ "idle", "OCCN,unacceptable OCCN,OCRP,unacceptable OCRP", "-", true, "idle" },
	{ "wait-control-conn", "control-conn-open", "RQ", false, "wait-reply" },
	{ "wait-reply", "OCRP", "-", false, "wait-connect" },
	{ "wait-reply", "unacceptable OCRP", "CDN", true, "idle" },
	{ "wait-reply", "OCCN,unacceptable OCCN", "CDN", true, "idle" },
	{ "wait-reply", "lost tie breaker", "-", true, "idle" },	/* the OCRQ is processed as by a recipient */
	{ "wait-reply", "won tie breaker", "CDN-for-losing", false, "wait-reply" },
	{ "wait-connect", "OCCN", "up", false, "established" },
	{ "wait-connect", "OCRQ,unacceptable OCRQ,OCRP,unacceptable OCRP", "CDN", true, "idle" },
	{ "idle,wait-reply,wait-connect,established", "CDN", "-", true, "idle" },
	{ "established", "OCRQ,unacceptable OCRQ,OCRP,unacceptable OCRP,OCCN,unacceptable OCCN", "CDN", true, "idle" },
	{ "wait-reply,wait-connect,established", "local close request", "CDN", true, "idle" },
	{ "wait-control-conn", "local close request", "-", true, "idle" },
	/* ours */
	{ "wait-connect", "unacceptable OCCN", "CDN", true, "idle" },
	{ "wait-control-conn,wait-reply,wait-connect,established", "control connection cleared", "-", true, "idle" },
};

static const struct rule ocrq_recipient[] = {	/* 7.4.2; "call placement failed" is a local close request */
	{ "idle", "OCRQ", "RP,place", false, "wait-cs-answer" },
	{ "idle", "unacceptable OCRQ", "CDN", true, "idle" },
	{ "idle", "OCRP,unacceptable OCRP", "CDN", true, "idle" },
	{ "idle", "OCCN,unacceptable OCCN,CDN", "-", true, "idle" },
	{ "wait-cs-answer", "call placement successful", "CN,up", false, "established" },
	{ "wait-cs-answer,established", "OCRQ,unacceptable OCRQ,OCRP,unacceptable OCRP,OCCN,unacceptable OCCN", "CDN", true, "idle" },
	{ "wait-cs-answer,established", "CDN", "-", true, "idle" },
	{ "wait-cs-answer,established", "local close request", "CDN", true, "idle" },
	{ "wait-cs-answer,established", "control connection cleared", "-", true, "idle" },
};

/* Is word one of the comma-separated words of list? */
static bool listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	return false;
}

static void compare(const struct fsm *f, unsigned n_events, const struct rule *rule, unsigned n_rules,
		    const char *const *send, unsigned clean)
{
	for (unsigned ev = 0; ev < n_events; ev++)
		for (unsigned st = 0; st < f->n_states; st++) {
			const struct fsm_cell *c = &f->cell[ev * f->n_states + st];
			const struct rule *r = NULL;

			for (unsigned i = 0; f->event[ev] && i < n_rules; i++) {	/* no name: L2TPv3's alone */
				if (!listed(rule[i].states, f->state[st]) || !listed(rule[i].events, f->event[ev]))
					continue;
				assert_null(r);
				r = &rule[i];
			}
			if (c->ok != !!r)
				fail_msg("%s: %s in state %s", f->name, f->event[ev] ? f->event[ev] : "event of L2TPv3",
					 f->state[st]);
			if (!r)
				continue;
			assert_string_equal(f->state[c->next], r->next);
			assert_int_equal(!!(c->acts & clean), r->clean);
			for (unsigned i = 0; *send[i]; i++)
				assert_int_equal(c->acts >> i & 1, listed(r->send, send[i]));
		}
}

#define COMPARE(f, n, rules, send, clean) \
	compare(f, n, rules, sizeof(rules) / sizeof(rules[0]), send, clean)

static void test_cc(void **state)
{
	(void)state;
	COMPARE(&v2_cc_fsm, CC_N_EVENTS, cc_rules, cc_send, CC_DOWN);
}

static void test_calls(void **state)
{
	(void)state;
	COMPARE(&v2_call_fsm[CALL_LAC_INCOMING], CALL_N_EVENTS, lac_in, call_send, CALL_DOWN);
	COMPARE(&v2_call_fsm[CALL_LNS_INCOMING], CALL_N_EVENTS, lns_in, call_send, CALL_DOWN);
	COMPARE(&v2_call_fsm[CALL_LAC_OUTGOING], CALL_N_EVENTS, lac_out, call_send, CALL_DOWN);
	COMPARE(&v2_call_fsm[CALL_LNS_OUTGOING], CALL_N_EVENTS, lns_out, call_send, CALL_DOWN);
}

static void test_v3_cc(void **state)
{
	(void)state;
	COMPARE(&v3_cc_fsm, CC_N_EVENTS, v3_cc_rules, cc_send, CC_DOWN);
}

static void test_v3_calls(void **state)
{
	(void)state;
	COMPARE(&v3_call_fsm[V3_ICRQ_SENDER], CALL_N_EVENTS, icrq_sender, call_send, CALL_DOWN);
	COMPARE(&v3_call_fsm[V3_ICRQ_RECIPIENT], CALL_N_EVENTS, icrq_recipient, call_send, CALL_DOWN);
	COMPARE(&v3_call_fsm[V3_OCRQ_SENDER], CALL_N_EVENTS, ocrq_sender, call_send, CALL_DOWN);
	COMPARE(&v3_call_fsm[V3_OCRQ_RECIPIENT], CALL_N_EVENTS, ocrq_recipient, call_send, CALL_DOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cc), cmocka_unit_test(test_calls),
		cmocka_unit_test(test_v3_cc), cmocka_unit_test(test_v3_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
