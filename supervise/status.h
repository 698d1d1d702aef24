/* supervise/status.h - what supervise tells the world: supervise/status, and
 * the fifos supervise/ok and supervise/control.
 *
 * The 18 bytes of status: TAI64N of the last start or stop (12 bytes), pid
 * (4, little-endian, 0 = down), paused flag, want: 'u', 'd' or 0 (once). */
#ifndef SUPERVISE_STATUS_H
#define SUPERVISE_STATUS_H

#include "lib/tai.h"

#include <sys/types.h>

#define STATUS_LEN 18
#define STATUS_CHECK __attribute__((warn_unused_result))

struct status {
	struct tai since;
	pid_t pid;
	bool paused;
	char want;
};

enum status_running {
	STATUS_RUNS,
	STATUS_NOT,             /* no supervise holds the ok fifo open */
	STATUS_ABSENT,          /* there never was one: no ok fifo */
	STATUS_ERROR,           /* errno */
};

void status_pack(unsigned char out[STATUS_LEN], const struct status *);
void status_unpack(struct status *out, const unsigned char in[STATUS_LEN]);

/* "up (pid N) S seconds, ..." at the time now; normally_up: there is no file
 * `down'.  A start in the future counts as 0 seconds. */
void status_text(struct str *out, const struct status *, bool normally_up,
    const struct tai *now);

/* All below a service directory open as dirfd (AT_FDCWD: this directory). */
enum status_running status_running(int dirfd);
/* 0, or -1 with errno; EBADMSG when the file is not STATUS_LEN bytes. */
STATUS_CHECK int status_read(int dirfd, struct status *out);
/* Replaces the file by rename; not synced: it means nothing after a crash.
 * On failure *failed_out names what could not be written. */
STATUS_CHECK int status_write(const struct status *, const char **failed_out);
/* Opens the control fifo for writing without waiting; ENXIO: no supervise;
 * EINVAL: it is no fifo. */
STATUS_CHECK int status_open_control(int dirfd);

#endif
