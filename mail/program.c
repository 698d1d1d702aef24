/* mail/program.c - run programs of .qmail files; see program.h.
 *
 * The command is the user's own and trusted as he is; what the mail brings
 * reaches it by its environment and descriptor 0, never as text of the
 * command.  Its descriptors 1 and 2 are ours: the report. */
#include "mail/program.h"

#include "lib/proc.h"
#include "lib/tai.h"
#include "mail/verdict.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* A piece of a word at p: plain bytes, or what stands between quotes that a
 * shell would leave alone.  The bytes it takes; 0 when there is none. */
static size_t
scan_piece(const char *p, struct str *out)
{
	/* Nothing here means anything to a shell but itself. */
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+,./:-=";
	size_t n;

	if (*p == '\'' || *p == '"') {
		n = strcspn(p + 1, *p == '"' ? "\"$`\\!" : "'");
		if (p[1 + n] != *p)
			return 0;
		str_catb(out, p + 1, n);
		return n + 2;
	}
	n = strspn(p, plain);
	str_catb(out, p, n);
	return n;
}

int
program_split(const char *command, struct str *words_out, size_t *n)
{
	const char *p = command;

	str_clear(words_out);
	*n = 0;
	for (;;) {
		size_t start = words_out->len, used;

		p += strspn(p, " \t");
		if (*p == '\0')
			break;
		do {
			used = scan_piece(p, words_out);
			if (used == 0)
				return -1;
			p += used;
		} while (*p != '\0' && *p != ' ' && *p != '\t');
		/* "A=b command" is the shell's, and so is no command. */
		if (*n == 0 && (words_out->len == start ||
		    bytes_chr(words_out->s + start, words_out->len - start,
		    '=') < words_out->len - start))
			return -1;
		str_catc(words_out, '\0');
		++*n;
	}
	return *n > 0 ? 0 : -1;
}

static int
spawn_direct(const char *command, struct proc_spawn *sp, pid_t *pid)
{
	struct str words = {0};
	const char **argv;
	size_t n, at = 0;
	int r;

	if (program_split(command, &words, &n) < 0) {
		str_free(&words);
		return -1;
	}
	argv = mem_alloc(n + 1, sizeof *argv);
	for (size_t i = 0; i < n; i++) {
		argv[i] = words.s + at;
		at += strlen(argv[i]) + 1;
	}
	sp->argv = argv;
	r = proc_spawn(sp, pid);
	sp->argv = NULL;
	free(argv);
	str_free(&words);
	return r;
}

static int
spawn_shell(const char *command, struct proc_spawn *sp, pid_t *pid)
{
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	int r;

	sp->argv = argv;
	r = proc_spawn(sp, pid);
	sp->argv = NULL;
	return r;
}

int
program_wait(pid_t pid, int64_t time_ms, int *status)
{
	int64_t until = clock_mono_ms() + time_ms;
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int r = -1;

	while (p.fd >= 0) {
		int64_t left = until - clock_mono_ms();

		if (left > 86400 * 1000)
			left = 86400 * 1000;
		r = poll(&p, 1, left < 0 ? 0 : (int)left);
		if (r > 0 || (r < 0 && errno != EINTR) ||
		    (r == 0 && clock_mono_ms() >= until))
			break;
	}
	/* Without a descriptor to wait on there is no limit. */
	if (p.fd >= 0)
		(void)close(p.fd);
	if (r == 0) {
		(void)kill(-pid, SIGKILL);
		(void)kill(pid, SIGKILL);
	}
	if (proc_wait(pid, status) < 0)
		return -1;
	if (r == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return 0;
}

int
program_code(int exit_code)
{
	switch (exit_code) {
	case 0:
	case PROGRAM_STOP:
		return exit_code;
	case 100:
	case 64: case 65: case 70: case 76: case 77: case 78: case 112:
		return VERDICT_HARD;
	default:
		return VERDICT_SOFT;
	}
}

int
program_run(const char *command, const char *const *envp, int mfd,
    int64_t time_ms, struct str *words)
{
	struct proc_fd fds[] = {{mfd, 0}, {1, 1}, {2, 2}};
	struct proc_spawn sp = {.envp = envp, .fds = fds,
	    .nfds = sizeof fds / sizeof *fds, .new_session = true};
	char text[32];
	pid_t pid;
	int status;

	if (lseek(mfd, 0, SEEK_SET) < 0) {
		str_catf(words, "Unable to rewind the message: %s. "
		    "(#4.3.0)\n", strerror(errno));
		return VERDICT_SOFT;
	}
	if (spawn_direct(command, &sp, &pid) < 0 &&
	    spawn_shell(command, &sp, &pid) < 0) {
		str_catf(words, "Unable to run a shell: %s. (#4.3.0)\n",
		    strerror(errno));
		return VERDICT_SOFT;
	}
	if (program_wait(pid, time_ms, &status) < 0) {
		str_catf(words, "Delivery program ended: %s. (#4.3.0)\n",
		    strerror(errno));
		return VERDICT_SOFT;
	}
	if (WIFSIGNALED(status)) {
		str_catf(words, "Delivery program crashed: %s. (#4.3.0)\n",
		    proc_status_text(status, text, sizeof text));
		return VERDICT_SOFT;
	}
	return program_code(WEXITSTATUS(status));
}
