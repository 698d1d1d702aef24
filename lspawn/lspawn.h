/* lspawn/lspawn.h - take delivery commands, find whose they are, hand them to
 * the workers of the users, report.
 *
 * Three modules share struct lspawn: lspawn.c (commands and reports), lookup.c
 * (users/cdb, qmail-getpw) and pool.c (workers).  A job goes
 *
 *	lspawn_take -> lookup_start -> pool_give -> lspawn_report
 *
 * or from anywhere straight to lspawn_report, which ends it.
 *
 * Runs as root.  Trusts qmail-send's commands as far as their form, users/cdb
 * (root's), qmail-getpw (an account, uid 0 excepted), and a worker about its
 * own jobs only.  Opens message files; reads not a byte of them. */
#ifndef LSPAWN_LSPAWN_H
#define LSPAWN_LSPAWN_H

#include "lib/loop.h"
#include "lib/map.h"
#include "mail/spawnproto.h"
#include "mail/users.h"
#include "mail/verdict.h"

#define LSPAWN_MAX 1000u        /* deliveries at once; each a descriptor */
#define LSPAWN_IDLE 200         /* workers kept without work, count */
#define LSPAWN_IDLE_MS 10000    /* and for how long */
#define LSPAWN_LOOKUP_MS 120000 /* for an answer of qmail-getpw */
#define LSPAWN_HOLD_MS 30000    /* for a job over its user's share */
#define LSPAWN_DEAF_MS 600000   /* for a worker to read its jobs */
#define LSPAWN_SILENT_MS 90000000       /* for a report: no program of a
                                 * delivery runs longer than a day */

struct lspawn_config {
	const char *aliasempty;         /* default delivery instructions */
	const char *mess;               /* directory of message files */
	const char *cdb;                /* users/cdb */
	const char *local, *getpw;      /* programs */
	uid_t queue_uid;                /* who must own messages */
	uid_t getpw_uid;
	gid_t getpw_gid;
	bool drop;                      /* false only in tests */
	size_t share;                   /* jobs of one user at once */
	int64_t idle_ms, lookup_ms, hold_ms, deaf_ms, silent_ms;
};

struct lspawn_job {
	unsigned delnum;
	struct str messid, sender, local, host;
	struct users_entry who;
	bool asked;                     /* qmail-getpw has the question */
	struct pool_worker *worker;     /* that has it, or NULL */
	struct lspawn_job *next;        /* in a queue of lookup or pool */
};

struct lspawn_queue {
	struct lspawn_job *head, *tail;
};
void lspawn_queue_put(struct lspawn_queue *, struct lspawn_job *);
struct lspawn_job *lspawn_queue_get(struct lspawn_queue *);     /* or NULL */

/* lookup.c */
struct lookup {
	struct users_table users;
	bool running;
	pid_t pid;                      /* 0 once it is buried */
	struct loop_watch watch;        /* the socket of qmail-getpw */
	struct lspawn_queue unsent;
	size_t asked;                   /* questions without answer */
	int64_t since;                  /* of the last question or answer */
};

/* pool.c */
struct pool_worker {
	struct lspawn *l;
	pid_t pid;
	struct loop_watch watch;
	struct str key;
	struct lspawn_queue unsent;
	size_t njobs;                   /* its jobs, unsent ones included */
	size_t nsent;                   /* those that it has */
	int64_t since;                  /* idle, or silent, since, ms */
	struct pool_worker *prev, *next;        /* in the list of idle ones */
};
struct pool {
	struct map workers;             /* user NUL home NUL uid NUL gid */
	struct pool_worker *idle, *idle_last;   /* longest idle first */
	size_t nidle;
	int64_t looked;                 /* for stuck ones, ms */
};

struct lspawn {
	const struct lspawn_config *cfg;
	struct loop loop;
	struct loop_watch in, out, sig;
	struct spawn_command command;
	struct lspawn_job *jobs[LSPAWN_MAX];    /* by delivery number */
	size_t njobs;
	struct str reports;             /* not yet written */
	size_t written;                 /* bytes of it that are */
	bool eof;                       /* no more commands */
	int code;                       /* exit code at the end */
	struct lookup lookup;
	struct pool pool;
};

/* Serves until in ends and all is reported.  Returns the exit code. */
int lspawn_run(struct lspawn *, const struct lspawn_config *, int in,
    int out);
/* Reports and frees the job. */
void lspawn_report(struct lspawn *, struct lspawn_job *, unsigned code,
    const char *said, size_t n);
void lspawn_refuse(struct lspawn *, struct lspawn_job *, enum verdict);
/* Of two waits, -1: none. */
int64_t lspawn_sooner(int64_t a, int64_t b);

/* Finds job->who, then calls pool_give or lspawn_report. */
void lookup_start(struct lspawn *, struct lspawn_job *);
/* Milliseconds from now until it wants to be called again, -1: never. */
int64_t lookup_tick(struct lspawn *, int64_t now);
void lookup_end(struct lspawn *);

void pool_give(struct lspawn *, struct lspawn_job *);
int64_t pool_tick(struct lspawn *, int64_t now);
void pool_end(struct lspawn *);
void pool_bury(struct lspawn *, pid_t);         /* a child that has ended */

#endif
