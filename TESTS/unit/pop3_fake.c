/* pop3_fake.c - see pop3_fake.h. */
#include "TESTS/unit/pop3_fake.h"

#include "lib/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct pop3_fake pop3_fake;
struct box {
	char uidl[BOX_UIDL + 1];
};
static struct box box;

void
pop3_fake_box(const char *const *messages, size_t count)
{
	pop3_fake = (struct pop3_fake){.count = count};
	for (size_t i = 0; i < count; i++) {
		pop3_fake.msg[i].bytes = messages[i];
		pop3_fake.msg[i].n = strlen(messages[i]);
	}
}

int
pop3_fake_file(const char *s, size_t n)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, s, n) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}

void
pop3_fake_wire(struct str *out, const char *s, size_t n, uint64_t lines)
{
	bool body = false;
	size_t line = 0;                /* where it begins */

	for (size_t i = 0; i < n; i++) {
		if (body && lines == 0 && i == line)
			break;
		if (i == line && s[i] == '.')
			str_catc(out, '.');
		if (s[i] == '\n' && (i == 0 || s[i - 1] != '\r'))
			str_catc(out, '\r');
		str_catc(out, s[i]);
		if (s[i] == '\n') {
			size_t len = i - line;

			if (body)
				lines--;
			else if (len == 0 || (len == 1 && s[line] == '\r'))
				body = true;
			line = i + 1;
		} else if (i + 1 == n) {
			str_cats(out, "\r\n");
		}
	}
	str_cats(out, ".\r\n");
}

/* ---- pop3d/box.h ---- */

enum box_status
box_open(struct box **out, const struct box_config *cfg)
{
	(void)cfg;
	*out = &box;
	errno = EIO;
	return pop3_fake.open;
}

void
box_free(struct box *b)
{
	(void)b;
	pop3_fake.frees++;
}

size_t
box_count(const struct box *b)
{
	(void)b;
	return pop3_fake.count;
}

uint64_t
box_size(struct box *b, size_t i)
{
	const struct pop3_fake_message *m = &pop3_fake.msg[i];
	uint64_t size = m->n;

	(void)b;
	for (size_t k = 0; k < m->n; k++)
		if (m->bytes[k] == '\n' && (k == 0 || m->bytes[k - 1] != '\r'))
			size++;
	return size + (m->n > 0 && m->bytes[m->n - 1] != '\n' ? 2 : 0);
}

int
box_uidl_ready(struct box *b)
{
	(void)b;
	errno = pop3_fake.uidl_error;
	return pop3_fake.uidl_error != 0 ? -1 : 0;
}

const char *
box_uidl(struct box *b, size_t i)
{
	(void)snprintf(b->uidl, sizeof b->uidl, "id%zu", i + 1);
	return b->uidl;
}

int
box_message(struct box *b, size_t i)
{
	const struct pop3_fake_message *m = &pop3_fake.msg[i];

	(void)b;
	errno = m->error;
	if (m->error != 0)
		return -1;
	return m->fd > 0 ? dup(m->fd) : pop3_fake_file(m->bytes, m->n);
}

void
box_delete(struct box *b, size_t i)
{
	(void)b;
	pop3_fake.msg[i].deleted = true;
}

void
box_undelete(struct box *b)
{
	(void)b;
	for (size_t i = 0; i < pop3_fake.count; i++)
		pop3_fake.msg[i].deleted = false;
}

bool
box_deleted(const struct box *b, size_t i)
{
	(void)b;
	return pop3_fake.msg[i].deleted;
}

void
box_stat(struct box *b, size_t *count_out, uint64_t *bytes_out)
{
	*count_out = 0;
	*bytes_out = 0;
	for (size_t i = 0; i < pop3_fake.count; i++)
		if (!pop3_fake.msg[i].deleted) {
			++*count_out;
			*bytes_out += box_size(b, i);
		}
}

void
box_update(struct box *b, struct box_result *out)
{
	(void)b;
	pop3_fake.updates++;
	*out = pop3_fake.result;
}
