/* TESTS/unit/box_fixture.h - a Maildir for a test, which is the working
 * directory, and sessions over it. */
#ifndef TESTS_UNIT_BOX_FIXTURE_H
#define TESTS_UNIT_BOX_FIXTURE_H

#include "pop3d/box.h"

#include "TESTS/unit/unit.h"

extern struct box_config cfg;           /* set anew before each test */

int box_setup(void **state);
int box_teardown(void **state);

void put(const char *path, const char *text);
void put_at(const char *path, const char *text, int64_t sec, long usec);
void move(const char *from, const char *to);
bool there(const char *path);
void expect_file(const char *path, const char *text);
const char *listing(void);              /* of cur/ and new/, sorted */

struct box *opened(void);
void get(struct box *, size_t i, char *text, size_t size);
/* Separated by blanks; "h*" is any hash. */
void expect_uidls(struct box *, const char *want);

#endif
