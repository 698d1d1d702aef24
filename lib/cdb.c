/* lib/cdb.c - the wrapper around tinycdb; see cdb.h.
 *
 * tinycdb checks every offset against the file's size; what it does not check
 * is that the file is a regular one and stays as long as it was, so writers
 * here only ever rename whole files into place. */
#include "lib/cdb.h"

#include "lib/fs.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct cdb_file {
	struct cdb db;
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
};

struct cdb_writer {
	struct cdb_make make;
	int fd;
	bool finished;
	char *tmp;
};

enum cdb_status
cdbfile_open(const char *path, struct cdb_file **out)
{
	struct cdb_file *f;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? CDB_NONE : CDB_TEMP;
	f = mem_alloc(1, sizeof *f);
	if (fstat(fd, &st) < 0)
		goto fail;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto fail;
	}
	if (cdb_init(&f->db, fd) < 0) {
		if (errno == EPROTO)    /* tinycdb: too short to be one */
			errno = EINVAL;
		goto fail;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->mtime = st.st_mtim;
	*out = f;
	return CDB_OK;
fail:
	{
		int e = errno;

		free(f);
		(void)close(fd);
		errno = e;
	}
	return CDB_TEMP;
}

enum cdb_status
cdbfile_get(struct cdb_file *f, const void *key, size_t n, struct str *out)
{
	const void *p;
	int r;

	if (n > UINT_MAX) {
		errno = EINVAL;
		return CDB_TEMP;
	}
	r = cdb_find(&f->db, key, (unsigned)n);
	if (r == 0)
		return CDB_NONE;
	if (r < 0) {
		if (errno == EPROTO)    /* tinycdb: offsets lead outside */
			errno = EINVAL;
		return CDB_TEMP;
	}
	if (cdb_datalen(&f->db) == 0)
		return CDB_OK;
	p = cdb_getdata(&f->db);
	if (p == NULL) {
		errno = EIO;
		return CDB_TEMP;
	}
	str_catb(out, p, cdb_datalen(&f->db));
	return CDB_OK;
}

bool
cdbfile_stale(const struct cdb_file *f, const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || st.st_dev != f->dev ||
	    st.st_ino != f->ino || st.st_mtim.tv_sec != f->mtime.tv_sec ||
	    st.st_mtim.tv_nsec != f->mtime.tv_nsec;
}

void
cdbfile_close(struct cdb_file *f)
{
	if (f == NULL)
		return;
	(void)close(cdb_fileno(&f->db));
	cdb_free(&f->db);
	free(f);
}

int
cdbwriter_open(const char *tmp, struct cdb_writer **out)
{
	struct cdb_writer *w;
	int fd;

	if (unlink(tmp) < 0 && errno != ENOENT)
		return -1;
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	w = mem_alloc(1, sizeof *w);
	w->fd = fd;
	w->tmp = mem_dup_copy(tmp);
	if (cdb_make_start(&w->make, fd) < 0) {
		w->finished = true;
		cdbwriter_abort(w);
		return -1;
	}
	*out = w;
	return 0;
}

int
cdbwriter_add(struct cdb_writer *w, const void *key, size_t klen,
    const void *value, size_t vlen)
{
	if (klen > UINT_MAX || vlen > UINT_MAX) {
		errno = EFBIG;
		return -1;
	}
	return cdb_make_add(&w->make, key, (unsigned)klen, value,
	    (unsigned)vlen);
}

int
cdbwriter_prepare(struct cdb_writer *w, unsigned mode)
{
	w->finished = true;
	if (cdb_make_finish(&w->make) < 0 || fchmod(w->fd, mode) < 0)
		return -1;
	return fsync(w->fd);
}

int
cdbwriter_commit(struct cdb_writer *w, const char *path, unsigned mode)
{
	if ((!w->finished && cdbwriter_prepare(w, mode) < 0) ||
	    rename(w->tmp, path) < 0 || fs_sync_parent(path) < 0) {
		cdbwriter_abort(w);
		return -1;
	}
	(void)close(w->fd);
	free(w->tmp);
	free(w);
	return 0;
}

void
cdbwriter_abort(struct cdb_writer *w)
{
	int e = errno;

	(void)unlink(w->tmp);
	/* The only call of tinycdb that gives its memory back. */
	if (!w->finished)
		(void)cdb_make_finish(&w->make);
	(void)close(w->fd);
	free(w->tmp);
	free(w);
	errno = e;
}
