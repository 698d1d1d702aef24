/* lib/loop.c - event loop; see loop.h.
 *
 * Invariant: after loop_del no callback of that watch comes, even when its
 * event was already fetched: the pending list is scrubbed. */
#include "lib/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/epoll.h>

static uint32_t
to_epoll(uint32_t want)
{
	return (want & LOOP_READ ? EPOLLIN | EPOLLRDHUP : 0u) |
	    (want & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0u);
}

int
loop_init(struct loop *l)
{
	*l = (struct loop){.ep = epoll_create1(EPOLL_CLOEXEC)};
	return l->ep < 0 ? -1 : 0;
}

int
loop_add(struct loop *l, struct loop_watch *w)
{
	struct epoll_event ev = {.events = to_epoll(w->want),
	    .data.ptr = w};

	if (epoll_ctl(l->ep, EPOLL_CTL_ADD, w->fd, &ev) < 0)
		return -1;
	w->on = true;
	return 0;
}

void
loop_want(struct loop *l, struct loop_watch *w, uint32_t want)
{
	struct epoll_event ev = {.events = to_epoll(want), .data.ptr = w};

	if (w->want == want)
		return;
	w->want = want;
	if (!w->on)
		return;
	(void)epoll_ctl(l->ep, EPOLL_CTL_MOD, w->fd, &ev);
}

void
loop_del(struct loop *l, struct loop_watch *w)
{
	if (!w->on)
		return;
	w->on = false;
	(void)epoll_ctl(l->ep, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = 0; i < l->npending; i++)
		if (l->pending[i] == w)
			l->pending[i] = NULL;
}

int
loop_run(struct loop *l, int64_t ms)
{
	struct epoll_event ev[LOOP_BATCH];
	uint32_t got[LOOP_BATCH];
	int n;

	assert(l->npending == 0);
	if (ms > INT_MAX)
		ms = INT_MAX;
	n = epoll_wait(l->ep, ev, LOOP_BATCH, ms < 0 ? -1 : (int)ms);
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	l->npending = n;
	for (int i = 0; i < n; i++) {
		uint32_t e = ev[i].events;

		l->pending[i] = ev[i].data.ptr;
		got[i] = (e & (EPOLLIN | EPOLLRDHUP) ? LOOP_READ : 0u) |
		    (e & EPOLLOUT ? LOOP_WRITE : 0u);
		if (e & (EPOLLHUP | EPOLLERR))
			got[i] |= LOOP_READ |
			    (l->pending[i]->want & LOOP_WRITE);
	}
	for (int i = 0; i < n; i++) {
		struct loop_watch *w = l->pending[i];

		l->pending[i] = NULL;
		if (w != NULL)
			w->ready(w, got[i]);
	}
	l->npending = 0;
	return 0;
}
