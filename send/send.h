/* send/send.h - the scheduler's state, shared by its modules:
 *
 *	send.c      the loop, signals, log, the link to qmail-todo, start-up
 *	message.c   the life of a message: arrival, passes, files, end
 *	channel.c   spawners: slots, commands, reports
 *	dest.c      remote destinations and their limits
 *	bouncer.c   failure texts and the programs that send them
 *	ctl.c       requests of administrators
 *
 * A message (struct msg) is known from its arrival, or from the scan of info/
 * at start, until it is finished.  A pass (struct pass) is one walk over the
 * recipients of one of its channels; it exists while there is something to
 * deliver, and for a message in memory (fast) until it has files.
 *
 * Where a channel of a message stands:
 *
 *	NONE     nothing left to deliver
 *	FRESH    in the channel's list of new messages
 *	WAITING  until due; in the heap (or held: in no structure)
 *	ACTIVE   its pass has recipients to start or running
 *	DONE     all recipients settled, waits for a barrier
 */
#ifndef SEND_SEND_H
#define SEND_SEND_H

#include "lib/heap.h"
#include "lib/loop.h"
#include "lib/map.h"
#include "lib/str.h"
#include "mail/spawnproto.h"
#include "send/config.h"
#include "send/link.h"
#include "send/wish.h"

#include <dirent.h>
#include <sys/types.h>

#define RETRY_SYSTEM 123        /* seconds, after trouble of our own */
#define DELAY_AFTER 14400       /* seconds, until a delay is reported */

enum channel_state { CH_NONE, CH_FRESH, CH_WAITING, CH_ACTIVE, CH_DONE };

struct place {                  /* of a recipient */
	uint32_t at;            /* offset of its record */
	uint32_t next;          /* index of the next of its share */
};

struct share {                  /* a pass's recipients at one domain */
	struct pass *p;
	struct dest *d;
	struct share *next, *prev;      /* p->ready, or d->wait */
	struct share *all_next, *all_prev;      /* p->shares */
	size_t first, last, n;  /* indices of p->places; n: to start */
	bool waiting, granted;
};

struct dest {                   /* a recipient domain, in lower case */
	struct str name;
	size_t running, granted, refs;
	struct share *wait, *wait_last;
	struct pass *p;         /* while it is divided: its share here */
	struct share *share;
	bool held;              /* it waits for others to leave places */
	struct dest *held_next, *held_prev;
};

struct group {                  /* one transaction */
	size_t left;            /* recipients without a report */
	struct dest *d;
};

struct pass {
	struct msg *m;
	int channel;
	struct str text;        /* as local/S/N holds it: T and D records */
	struct wishes wishes;
	size_t next;            /* local: offset of the next record */
	struct share *shares, *ready, *ready_last;      /* remote */
	struct place *places;
	size_t nplaces, nwaiting;
	size_t running, left;   /* left: recipients that are not settled */
	bool in_ring;
	bool dying;
	struct pass *ring_prev, *ring_next;
};

struct msg {
	uint64_t id, bytes, qp;
	int64_t birth;
	char *sender;           /* NULL when not loaded */
	struct str wishes;      /* wish.h; loaded with the sender */
	struct str delays;      /* to be reported: paragraphs, and their */
	size_t *delayed, ndelayed;      /* records in the wishes */
	struct pass *pass[CHANNELS];
	enum channel_state state[CHANNELS];
	int64_t due[CHANNELS];
	struct msg *fresh_prev[CHANNELS], *fresh_next[CHANNELS];
	unsigned barriers;      /* failure marks not yet on the disk */
	bool fast;              /* lives in todo/, has no files of ours */
	bool held, deleted, bounces, bouncing;
	bool failed;            /* bounce/N was written to, even if in vain */
	bool settled;           /* of a recipient at least: worth saving */
};

struct slot {
	struct pass *pass;      /* NULL: free */
	struct group *group;    /* NULL: alone, and local */
	size_t at;              /* offset of the record in pass->text */
	uint64_t delivery;      /* number in the log */
	int64_t began;          /* clock_mono_ms */
};

struct channel {
	struct send *s;
	int number;
	struct loop_watch in, out;
	struct spawn_hello hello;
	bool ready, lost;
	struct slot *slots;
	unsigned nslots, taken, hint;
	unsigned used;          /* transactions: taken slots, groups as one */
	struct str commands;    /* not yet written */
	struct spawn_report report;
	struct heap due;
	struct msg *fresh, *fresh_last;
	struct pass *ring;      /* passes with recipients to start */
	size_t nring, nfresh;
	unsigned turns;         /* admissions, to mix new and old */
};

struct mark {                   /* a failure that waits for its barrier */
	uint64_t token, id, offset;
	int channel;
};

struct bounce_job {
	pid_t pid;
	uint64_t id;
	size_t *delayed, ndelayed;      /* a delay report: its records */
	size_t base;            /* where they begin in info/S/N */
};

#define BOUNCERS 8              /* programs at a time */

struct ctl;

struct send {
	struct loop loop;
	struct loop_watch signals, from_todo, to_todo_w;
	int log_fd;
	struct config cfg;
	struct map msgs;                /* id -> struct msg */
	struct channel ch[CHANNELS];
	struct str log, to_todo, in_todo;
	struct link_msg arriving;       /* its records are coming in */
	struct str arriving_sender, arriving_list[CHANNELS];
	struct str arriving_wishes;
	int arriving_channel;           /* of the last recipient, or -1 */
	size_t arriving_at;             /* and its offset */
	uint64_t arriving_left;         /* records to come, sender included */
	bool arriving_on;
	struct mark *marks;
	size_t nmarks, capmarks, headmarks;
	uint64_t token, token_done;
	bool token_new;                 /* a `w` must be sent */
	struct map dests;               /* domain -> struct dest */
	struct dest *held, *held_last;  /* domains that leave places to others */
	size_t ngranted;                /* places granted, not yet taken */
	size_t effort;                  /* looked at in vain, in this turn */
	size_t delays;                  /* bytes of delays of all messages */
	struct bounce_job bouncers[BOUNCERS];
	struct heap bounces;            /* when to start one */
	DIR *scan;
	int scan_at;                    /* split of info; QUEUE_SPLIT: done */
	uint64_t deliveries;            /* counter for the log */
	bool begun;                     /* the queue is ours: scan it */
	bool status_changed, exiting, lost, hup, alrm;
	size_t loaded;                  /* bytes of text of all passes */
	int64_t clock_ahead;            /* clock_wall less clock_mono, seconds */
	struct ctl *ctl;
	struct str scratch;
};

/* message.c */
/* From s->arriving*.  -1: it cannot be, and this process must start anew. */
__attribute__((warn_unused_result))
int message_arrive(struct send *);
void message_scan_step(struct send *);          /* at start: info/ */
struct pass *message_admit(struct send *, int channel); /* NULL: nothing due */
void message_pass_end(struct send *, struct pass *);    /* if it is one */
void message_settle(struct send *, struct pass *, size_t at);
/* Ends of a delivery: text and notes as the spawner reported them. */
void message_success(struct send *, struct pass *, size_t at,
    const char *text, const char *notes);
void message_delay(struct send *, struct pass *, size_t at, const char *text,
    const char *notes);
/* Failed for good; -1 when that could not be written down. */
__attribute__((warn_unused_result))
int message_fail(struct send *, struct pass *, size_t at, const char *text,
    const char *notes);
/* Does its sender want to be told when this recipient fails? */
bool message_wants_failure(const struct pass *, size_t at);
void message_barrier(struct send *, uint64_t token);
void message_check(struct send *, struct msg *);        /* finished? */
void message_all_due(struct send *);
void message_clock_back(struct send *);         /* no due too far away */
void message_hold(struct send *, struct msg *); /* what is in memory of it */
void message_due(struct send *, struct msg *);
__attribute__((warn_unused_result))
int message_spill(struct send *, struct msg *);
__attribute__((warn_unused_result))
int message_load_sender(struct send *, struct msg *);
void message_drop_sender(struct send *, struct msg *);
void message_delays_drop(struct send *, struct msg *);
void message_delete(struct send *, struct msg *);
bool message_running(const struct msg *);
void message_save_all(struct send *);           /* before leaving */

/* channel.c */
__attribute__((warn_unused_result))
int channel_init(struct send *, int number, int to, int from);
void channel_start_some(struct send *, int number);
void channel_flush(struct channel *);
unsigned channel_limit(const struct send *, int number);
bool channel_room(const struct send *, int number);     /* for one more */
void channel_ring_add(struct channel *, struct pass *);
void channel_ring_del(struct channel *, struct pass *);

/* dest.c */
/* Into shares, all of them ready; p->left is not 0. */
void dest_divide(struct send *, struct pass *);
void dest_release(struct send *, struct pass *);        /* no shares */
/* A share that may start a delivery now, taken from the pass: to be given to
 * dest_started.  NULL: all of them wait, or there are none. */
struct share *dest_next(struct send *, struct pass *);
size_t dest_peek(const struct share *);         /* offset of its recipient */
void dest_take(struct share *);                 /* that one starts */
/* One transaction began; what it returns is for dest_ended. */
struct dest *dest_started(struct send *, struct share *);
void dest_ended(struct send *, struct dest *);
void dest_limit_changed(struct send *);

/* bouncer.c */
/* What is written before the paragraph of a message with wishes: see
 * bounce.h. */
void bouncer_cat_mark(struct str *out, char kind, int64_t now,
    const char *wish, const char *notes);
void bouncer_cat_text(const struct route *, struct str *out,
    const char *rcpt, const char *text);
void bouncer_want(struct send *, struct msg *);
void bouncer_start_some(struct send *, int64_t now);
void bouncer_reap(struct send *);
bool bouncer_busy(const struct send *);

/* ctl.c */
void ctl_init(struct send *);                   /* logs its trouble */

/* send.c */
struct send_fds {
	int log, to_lspawn, from_lspawn, to_rspawn, from_rspawn;
	int to_todo, from_todo;
};
int send_run(const struct send_fds *);
struct msg *send_msg(const struct send *, uint64_t id); /* NULL: unknown */
void send_tell_todo(struct send *, char kind, uint64_t n);

#endif
