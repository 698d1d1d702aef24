/* fuzz_control.c - any bytes as control files: values and lines keep to what
 * control.h promises. */
#include "TESTS/fuzz/fuzz.h"

#include "control/control.h"
#include "mail/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/fuzz_control.XXXXXX";

static char list[64], number[64];

static void
clean_up(void)
{
	(void)unlink(list);
	(void)unlink(number);
	(void)rmdir(dir);
}

static void
put(const char *file, const uint8_t *data, size_t size)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) < 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct str s = {0};
	uint64_t n;

	if (!ready) {
		if (mkdtemp(dir) == NULL || atexit(clean_up) != 0)
			abort();
		(void)snprintf(list, sizeof list, "%s/locals", dir);
		(void)snprintf(number, sizeof number, "%s/queuelifetime", dir);
		control_set_dir(dir);
		ready = true;
	}
	put(list, data, size);
	put(number, data, size);
	if (control_line(CONTROL_LOCALS, &s) == CONTROL_OK && s.len > 0 &&
	    (s.len > CONTROL_LINE_MAX || strchr(s.s, '\n') != NULL ||
	    s.s[s.len - 1] == ' '))
		abort();
	if (control_list(CONTROL_LOCALS, &s) != CONTROL_OK)
		abort();
	for (size_t i = 0; i < s.len; i += strlen(s.s + i) + 1)
		if (strchr(s.s + i, '\n') != NULL)
			abort();
	if (control_number(CONTROL_QUEUELIFETIME, &n) == CONTROL_TEMP &&
	    memchr(data, 0, size) == NULL && size <= CONTROL_LINE_MAX)
		abort();
	str_free(&s);
	return 0;
}
