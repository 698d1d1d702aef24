/* vpop/vdeliver.h - one message to one address of a virtual domain, as the
 * domain's user.
 *
 * What is to be done comes from mail/vplan.h; here it is done.  Instructions
 * run in their order.  Programs run at once; what goes to Maildirs stands in
 * tmp/ until all programs have agreed and the forwards are in the queue, and
 * only then is moved to new/: what fails leaves no copies behind, to be
 * doubled by the next try.
 *
 * Where no program is to be run, the process first gives up everything but the
 * domain's directory (and the mailbox's, and that of a catch-all, when they
 * are elsewhere): Landlock.
 *
 * Trusts authdaemond, the environment that qmail-local makes and the domain's
 * files to be the domain's; of the message and the addresses nothing. */
#ifndef VPOP_VDELIVER_H
#define VPOP_VDELIVER_H

#include "mail/authproto.h"
#include "mail/vplan.h"

#define VDELIVER_DEPTH_MAX 8    /* times it may have started itself, by way of
                                 * a program such as a filter */
#define VDELIVER_CHECK __attribute__((warn_unused_result))

struct vdeliver {
	/* Borrowed. */
	const char *ext, *host;         /* as qmail-local has them */
	const char *sender;             /* for forwards; "": null */
	const char *rpline, *dtline;    /* with LF; "" when not known */
	const char *action;
	const char *auth;               /* authdaemond's socket */
	enum auth_status (*ask)(const char *path, const char *address,
	    struct auth_answer *);      /* as auth_resolve */
	int mfd;                        /* the message: a file */
	int64_t time_ms;                /* for one program */
	bool sandbox;
	/* Made here. */
	struct str local, domain;       /* lower case */
	struct str ours;                /* Delivered-To line of the mailbox */
	struct str head;
	struct auth_answer answer;
	struct vplan plan;
};

/* VERDICT_OK, PROGRAM_STOP, VERDICT_HARD or VERDICT_SOFT; appends to words. */
VDELIVER_CHECK int vdeliver_run(struct vdeliver *, struct str *words);
/* The two halves of it: what is to be done, without doing it, and doing it. */
VDELIVER_CHECK int vdeliver_prepare(struct vdeliver *, struct str *words);
VDELIVER_CHECK int vdeliver_execute(struct vdeliver *, struct str *words);
void vdeliver_free(struct vdeliver *);

/* Has the header a line that is this one, its LF included, whatever the case
 * of the letters?  0 and *out, or -1 with errno. */
VDELIVER_CHECK int vdeliver_has_line(int mfd, const struct str *line,
    bool *out);

#endif
