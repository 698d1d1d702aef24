/* queue_fixture.h - a small queue below /tmp that is the working directory.
 *
 * Everything here fails the running test when it cannot do its work. */
#ifndef TESTS_UNIT_QUEUE_FIXTURE_H
#define TESTS_UNIT_QUEUE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define BYTES(s) s, sizeof(s) - 1

/* cmocka's setup and teardown: makes the empty tree, removes it. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_write(const char *path, const void *bytes, size_t n);
void fixture_age(const char *path, time_t atime, time_t mtime);
/* A file in mess/ under its own inode number, which is returned. */
uint64_t fixture_mess(const char *text);
/* The same under another number. */
void fixture_mess_as(uint64_t id, const char *text);
/* todo/id with sums of mess/S/id; rcpts: {address NUL} NUL. */
void fixture_todo(uint64_t id, const char *sender, const char *rcpts);
/* info/S/id; local and remote as they are unless NULL, n bytes each. */
void fixture_info(uint64_t id, const char *sender, const void *local,
    size_t nlocal, const void *remote, size_t nremote);

bool fixture_there(const char *path);
bool fixture_split_there(const char *dir, uint64_t id);
bool fixture_flat_there(const char *dir, uint64_t id);
/* The file's bytes are these. */
bool fixture_holds(const char *path, const void *bytes, size_t n);

#endif
