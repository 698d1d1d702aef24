/* rspawn/pool.h - the inside of qmail-rspawn, shared by its modules:
 *
 *	rspawn.c    commands of qmail-send, reports to it, signals
 *	single.c    the historical way: a process for each delivery
 *	pool.c      workers that stay, a transaction at a time each
 *
 * A transaction goes
 *
 *	commands -> packet -> worker of that host -> report -> reports
 *
 * and every failure on the way is a report with Z for each of its recipients:
 * nothing is lost, because qmail-send forgets nothing before its report. */
#ifndef RSPAWN_POOL_H
#define RSPAWN_POOL_H

#include "lib/loop.h"
#include "lib/map.h"
#include "lib/str.h"
#include "mail/remoteproto.h"
#include "mail/spawnproto.h"
#include "rspawn/rspawn.h"

struct transaction {
	struct str host;        /* lower case */
	struct str messid;
	struct str packet;      /* the command, as the worker gets it */
	unsigned delnum[REMOTE_RCPTS_MAX];
	size_t n;
	unsigned lost;          /* workers that ended before they read it */
};

struct worker {
	struct rspawn *rs;
	struct loop_watch watch;
	pid_t pid;
	struct str host;
	struct transaction *tx; /* NULL: idle */
	int64_t since;          /* idle since, clock_mono_ms */
	struct worker *next, *prev;             /* idle: oldest first */
	struct worker *host_next, *host_prev;   /* idle, of this host */
};

struct pool {
	struct map idle;        /* host -> its youngest idle worker */
	struct map by_pid;
	struct worker *oldest, *youngest;
	unsigned n, nidle;      /* workers in all; idle ones */
	char buf[REMOTE_PACKET_MAX];
};

struct rspawn {
	const struct rspawn_config *cfg;
	struct loop loop;
	struct loop_watch commands, reports, signals;
	struct spawn_command cmd;
	struct map by_delnum;   /* deliveries that run */
	struct map by_pid;      /* of single.c */
	unsigned running;       /* deliveries without a report */
	struct transaction *gathering;  /* its commands are coming in */
	struct pool pool;
	struct str out;         /* reports on their way, from sent on */
	size_t sent;
	bool ended;             /* no more commands */
	int fail;               /* errno of a pipe, ends the loop */
};

/* rspawn.c */
void rspawn_say(struct rspawn *, unsigned delnum, const struct str *text,
    const char *notes);
void rspawn_flush(struct rspawn *);     /* as much as the pipe takes */
/* "Zwhat: reason." for one delivery. */
void rspawn_refuse(struct rspawn *, unsigned delnum, const char *what,
    const char *reason);
/* The message file, or -1 with the reason. */
int rspawn_open_message(const struct rspawn *, const struct str *messid,
    const char **reason);

/* single.c: rs->cmd is a whole command that may start. */
void single_start(struct rspawn *, const char *host);
void single_ended(struct rspawn *, pid_t, int status);

/* pool.c */
void pool_add(struct rspawn *, const char *host);       /* rs->cmd, too */
void pool_broken_off(struct rspawn *);  /* the rest of a group never came */
void pool_ended(struct rspawn *, pid_t, int status);
void pool_free(struct rspawn *);

#endif
