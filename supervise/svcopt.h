/* supervise/svcopt.h - svc's command line as letters for supervise. */
#ifndef SUPERVISE_SVCOPT_H
#define SUPERVISE_SVCOPT_H

#include <stdbool.h>
#include <stdint.h>

#define SVCOPT_LETTERS 20       /* most that one write sends to one supervise */
#define SVCOPT_USAGE "svc [ -udopchaitkxq12W ] [ -lL ] [ -w [ -T seconds ] ] " \
	"services"

struct svcopt {
	char service[SVCOPT_LETTERS + 1];       /* in order, without doubles */
	char logger[SVCOPT_LETTERS + 1];        /* given after -l */
	bool wait;
	uint32_t seconds;               /* limit of the wait, 0: none */
	int first;                      /* argv index of the first service */
};

/* False: misuse. */
bool svcopt_parse(struct svcopt *, int argc, char **argv);

#endif
