/* readproctitle - show the last bytes of what it reads in its own arguments.
 * Runs as:  root, at the end of svscanboot's pipe.
 * Trusts:   its arguments; the bytes it reads are shown by ps as they are.
 * Exits:    0 at the end of input, 100 misuse, 111 on a read error; silent. */
#include "supervise/title.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	char buf[4096];
	char *title;
	size_t len;

	if (argc < 3 || strlen(argv[argc - 1]) < TITLE_MIN)
		return 100;
	title = argv[argc - 1];
	len = strlen(title);
	memset(title, '.', len);
	for (;;) {
		ssize_t n = read(0, buf, sizeof buf);

		if (n == 0)
			return 0;
		if (n > 0)
			title_add(title, len, buf, (size_t)n);
		else if (errno != EINTR)
			return 111;
	}
}
