/* lib/loop.h - a small event loop over epoll.
 *
 * The caller embeds a struct loop_watch in what it watches and gets it back
 * in the callback.  Callbacks may remove any watch, their own included.
 * One wake-up handles at most LOOP_BATCH events, so no source starves. */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_BATCH 64
#define LOOP_READ 1u
#define LOOP_WRITE 2u

struct loop_watch {
	int fd;
	uint32_t want;          /* LOOP_READ | LOOP_WRITE, 0: only hang-up */
	void (*ready)(struct loop_watch *, uint32_t got);
	void *owner;
	bool on;
};

struct loop {
	int ep;
	int npending;
	struct loop_watch *pending[LOOP_BATCH];
};

/* 0, or -1 with errno.  A hang-up or error is reported as readable and, if
 * wanted, writable: the next read or write tells. */
__attribute__((warn_unused_result))
int loop_init(struct loop *);
__attribute__((warn_unused_result))
int loop_add(struct loop *, struct loop_watch *);
void loop_want(struct loop *, struct loop_watch *, uint32_t want);
void loop_del(struct loop *, struct loop_watch *);      /* fd stays open */
/* Waits at most ms (-1: until something happens) and calls back.  Not from
 * inside a callback. */
__attribute__((warn_unused_result))
int loop_run(struct loop *, int64_t ms);

#endif
