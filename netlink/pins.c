/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"

void pins_init(struct pins *p)
{
	pthread_mutex_init(&p->lock, NULL);
	p->first = NULL;
	p->journal = NULL;
}

void pins_done(struct pins *p)
{
	while (p->first) {
		struct pin *pin = p->first;

		p->first = pin->next;
		free(pin);
	}
	pthread_mutex_destroy(&p->lock);
}

static struct pin **find(struct pins *p, const struct k_addr *peer, uint32_t mark)
{
	struct pin **at = &p->first;

	while (*at && ((*at)->mark != mark || (*at)->peer.family != peer->family || (*at)->peer.scope != peer->scope ||
		       memcmp((*at)->peer.addr, peer->addr, sizeof(peer->addr))))
		at = &(*at)->next;
	return at;
}

static int install(struct pins *p, struct pin *pin, struct nl *nl)
{
	int err = rtnl_route_get(nl, &pin->peer, pin->mark, &pin->route);

	if (err == -ELOOP)
		return 0;
	if (!err) {
		pin->slot = journal_note(p->journal, &(struct made){ .kind = MADE_ROUTE, .route = pin->route });
		err = rtnl_route_add(nl, &pin->route, true);
	}
	pin->ours = !err;
	if (err)
		journal_forget(p->journal, pin->slot);
	return err == -EEXIST ? 0 : err;	/* somebody's own host route: it does the same, and stays */
}

int pins_take(struct pins *p, struct nl *nl, const struct k_addr *peer, uint32_t mark)
{
	struct pin **at, *pin;
	int err = 0;

	if (peer->scope)
		return 0;
	pthread_mutex_lock(&p->lock);
	at = find(p, peer, mark);
	pin = *at;
	if (pin) {
		pin->users++;
	} else {
		pin = calloc(1, sizeof(*pin));
		err = pin ? 0 : -ENOMEM;
		if (pin) {
			pin->peer = *peer;
			pin->mark = mark;
			pin->users = 1;
			err = install(p, pin, nl);
		}
		if (err)
			free(pin);
		else
			*at = pin;
	}
	pthread_mutex_unlock(&p->lock);
	return err;
}

void pins_drop(struct pins *p, struct nl *nl, const struct k_addr *peer, uint32_t mark)
{
	struct pin **at, *pin;

	if (peer->scope)
		return;
	pthread_mutex_lock(&p->lock);
	at = find(p, peer, mark);
	pin = *at;
	if (pin && !--pin->users) {
		*at = pin->next;
		if (pin->ours)
			rtnl_route_delete(nl, &pin->route);
		if (pin->ours)
			journal_forget(p->journal, pin->slot);
		free(pin);
	}
	pthread_mutex_unlock(&p->lock);
}

void pins_move(struct pins *p, const struct k_addr *peer, uint32_t mark, uint32_t new_mark)
{
	struct pin *pin;

	pthread_mutex_lock(&p->lock);
	pin = *find(p, peer, mark);
	if (pin && !*find(p, peer, new_mark))
		pin->mark = new_mark;
	pthread_mutex_unlock(&p->lock);
}
