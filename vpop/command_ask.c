/* vpop/command_ask.c - passwords: asked for, taken from an argument, made up;
 * see command.h. */
#include "vpop/command.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "vpop/password.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

/* Without 0 O 1 l I, which look alike. */
#define RANDOM_LETTERS "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"                     \
	"abcdefghijkmnopqrstuvwxyz"

static const int enders[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, 0};

/* A terminal whose echo is off, and what ends a program while it is. */
struct quiet {
	bool on;
	struct termios old;
	sigset_t mask;
	int sigs;
};

static void
quiet_begin(struct quiet *q)
{
	struct termios t;

	*q = (struct quiet){.sigs = -1};
	if (tcgetattr(0, &q->old) < 0)
		return;
	(void)sigprocmask(SIG_BLOCK, NULL, &q->mask);
	q->sigs = sig_open(enders);
	t = q->old;
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(0, TCSAFLUSH, &t) < 0)
		die_sys(111, "unable to stop the terminal's echo");
	q->on = true;
}

static void
quiet_end(struct quiet *q)
{
	if (q->on)
		(void)tcsetattr(0, TCSANOW, &q->old);
	if (q->sigs >= 0) {
		fd_close(q->sigs);
		(void)sigprocmask(SIG_SETMASK, &q->mask, NULL);
	}
	*q = (struct quiet){.sigs = -1};
}

/* One byte of descriptor 0, which other programs may read on: 1, 0 at its end,
 * -1 with errno.  A signal ends the program as it would have, the terminal
 * being as it was. */
static ssize_t
get_byte(struct quiet *q, char *byte)
{
	struct pollfd p[2] = {{.fd = 0, .events = POLLIN},
	    {.fd = q->sigs, .events = POLLIN}};
	ssize_t n;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -1;
		if (q->sigs >= 0 && (p[1].revents & POLLIN)) {
			int sig = sig_next(q->sigs);

			quiet_end(q);
			if (sig > 0 && sig != SIGTSTP)
				(void)raise(sig);
			exit(255);
		}
		n = read(0, byte, 1);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			return n;
	}
}

void
vcommand_ask_line(const char *prompt, bool echo, struct str *out)
{
	struct quiet q = {.sigs = -1};
	struct str text = {0};
	bool long_line = false, has_nul = false;
	ssize_t n;
	char c;

	str_cats(&text, prompt);
	vcommand_print(&text);
	if (!echo)
		quiet_begin(&q);
	password_wipe(out);
	/* so that growing leaves no copies behind */
	str_reserve(out, VPOP_PASSWORD_MAX + 1);
	while ((n = get_byte(&q, &c)) > 0 && c != '\n') {
		has_nul = has_nul || c == '\0';
		if (out->len < VPOP_PASSWORD_MAX)
			str_catc(out, c);
		else
			long_line = true;
	}
	str_copys(&text, "\n");
	if (q.on)
		vcommand_print(&text);
	quiet_end(&q);
	str_free(&text);
	if (n < 0)
		die_sys(111, "unable to read");
	if (n == 0 && out->len == 0)
		vcommand_refuse("nothing was entered");
	if (long_line)
		vcommand_fail(VPOP_PASSWD_LONG, NULL);
	if (has_nul)
		vcommand_fail(VPOP_BAD_CHAR, "a NUL byte");
}

void
vcommand_ask_password(const char *who, struct str *out)
{
	struct str prompt = {0}, again = {0};

	str_cats(&prompt, "Please enter password for ");
	vcommand_cat_line(&prompt, who);
	str_cats(&prompt, ": ");
	for (;;) {
		bool same;

		vcommand_ask_line(str_c(&prompt), false, out);
		vcommand_ask_line("enter password again: ", false, &again);
		same = out->len == again.len &&
		    memcmp(str_c(out), str_c(&again), out->len) == 0;
		password_wipe(&again);
		if (same)
			break;
		str_copys(&again,
		    "The passwords are not the same, try again.\n");
		vcommand_print(&again);
	}
	str_free(&again);
	str_free(&prompt);
}

void
vcommand_take_password(char *arg, struct str *out)
{
	size_t n = strlen(arg);

	password_wipe(out);
	str_copyb(out, arg, n);
	memset(arg, 'x', n);
}

void
vcommand_random_password(size_t n, struct str *out)
{
	const size_t letters = sizeof RANDOM_LETTERS - 1;

	password_wipe(out);
	str_reserve(out, n + 1);
	while (out->len < n) {
		unsigned char b;
		ssize_t r = getrandom(&b, 1, 0);

		if (r < 0 && errno != EINTR)
			die_sys(111, "unable to get random numbers");
		/* all letters as likely as any */
		if (r == 1 && b < 256 / letters * letters)
			str_catc(out, RANDOM_LETTERS[b % letters]);
	}
}
