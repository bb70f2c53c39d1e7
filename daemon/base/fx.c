/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fx.h"

#include <stdlib.h>
#include <string.h>

void *fx_push(struct fxq *q, uint32_t type, const void *data, size_t len)
{
	struct fx *f = malloc(sizeof(*f) + len);

	if (!f) {
		q->lost = true;
		return NULL;
	}
	f->next = NULL;
	f->type = type;
	f->len = (uint32_t)len;
	if (data)
		memcpy(f->data, data, len);
	else
		memset(f->data, 0, len);
	if (q->tail)
		q->tail->next = f;
	else
		q->head = f;
	q->tail = f;
	return f->data;
}

struct fx *fx_pop(struct fxq *q)
{
	struct fx *f = q->head;

	if (f && !(q->head = f->next))
		q->tail = NULL;
	return f;
}

void fx_free(struct fx *f)
{
	if (f)
		explicit_bzero(f->data, f->len);	/* some carry passwords */
	free(f);
}

void fxq_done(struct fxq *q)
{
	for (struct fx *f; (f = fx_pop(q)); fx_free(f))
		;
	q->lost = false;
}
