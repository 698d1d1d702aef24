/* fuzz_box.c - any bytes as the lists in a Maildir.  The first byte says which
 * file they are in and how the mailbox is opened.  Whatever they are, every
 * message has an identifier that may stand in a reply, no two have the same,
 * and the next session says the same again. */
#include "TESTS/fuzz/fuzz.h"

#include "pop3d/box.h"
#include "pop3d/lists.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGES 6

static const char *const message[MESSAGES] = {
	"cur/1.M2P3.h:2,S", "cur/1.M2P3.h,S=3,W=4:2,", "new/2.b", "cur/weird x",
	"cur/h00112233445566778899aabbccddeeff:2,", "cur/100.UID1-7:2,",
};
static const char *const list[] = {
	"pop3d.uidl", "pop3d.sizes", "dovecot-uidlist", "courierpop3dsizelist",
};
static const char *const config[] = {
	"auto", "name", "courier", "dovecot", "dovecot %u-%v", "dovecot %f",
	"dovecot %1u",
};

static char dir[] = "/tmp/fuzz-box.XXXXXX";
static int maildir_fd = -1;

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
put(const char *path, const void *bytes, size_t n)
{
	int fd = openat(maildir_fd, path, O_WRONLY | O_CREAT |
	    O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	(void)close(fd);
}

static void
clean(void)
{
	for (size_t i = 0; i < MESSAGES; i++)
		(void)unlinkat(maildir_fd, message[i], 0);
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		(void)unlinkat(maildir_fd, list[i], 0);
}

static void
leave(void)
{
	clean();
	(void)unlinkat(maildir_fd, "new", AT_REMOVEDIR);
	(void)unlinkat(maildir_fd, "cur", AT_REMOVEDIR);
	(void)unlinkat(maildir_fd, "tmp", AT_REMOVEDIR);
	(void)rmdir(dir);
}

static void
enter(void)
{
	if (maildir_fd >= 0)
		return;
	require(mkdtemp(dir) != NULL);
	maildir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(maildir_fd >= 0 && mkdirat(maildir_fd, "new", 0700) == 0 &&
	    mkdirat(maildir_fd, "cur", 0700) == 0 &&
	    mkdirat(maildir_fd, "tmp", 0700) == 0);
	require(atexit(leave) == 0);
}

static void
session(const char *uidl, char got[MESSAGES][BOX_UIDL_GIVEN + 1])
{
	struct box_config cfg = {.maildir = dir, .uidl = uidl};
	struct box *b;
	size_t n;
	uint64_t bytes;

	require(box_open(&b, &cfg) == BOX_OK && box_count(b) == MESSAGES);
	for (size_t i = 0; i < MESSAGES; i++) {
		const char *u = box_uidl(b, i);

		require(*u != '\0' && strlen(u) <= BOX_UIDL_GIVEN);
		for (const char *p = u; *p; p++)
			require(*p >= 33 && *p <= 126);
		for (size_t k = 0; k < i; k++)
			require(strcmp(got[k], u) != 0);
		(void)strcpy(got[i], u);
	}
	box_stat(b, &n, &bytes);
	require(n == MESSAGES);
	box_free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char first[MESSAGES][BOX_UIDL_GIVEN + 1];
	char then[MESSAGES][BOX_UIDL_GIVEN + 1];
	struct str text = {0};
	size_t which, how;

	if (n == 0)
		return 0;
	enter();
	which = data[0] % 4;
	how = data[0] / 4 % (sizeof config / sizeof *config);
	for (size_t i = 0; i < MESSAGES; i++)
		put(message[i], "a\nb", 3);
	str_copyb(&text, data + 1, n - 1);
	/* Ours with its checksum, or it would never be looked at. */
	if (which < 2 && data[0] < 128)
		lists_own_seal(which == 0 ? LISTS_UIDL : LISTS_SIZES, &text);
	put(list[which], str_c(&text), text.len);
	session(config[how], first);
	session(config[how], then);
	for (size_t i = 0; i < MESSAGES; i++)
		require(strcmp(first[i], then[i]) == 0);
	clean();
	str_free(&text);
	return 0;
}
