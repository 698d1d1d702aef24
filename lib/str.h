/* lib/str.h - growable byte string; the one owner of heap bytes here.
 *
 * {0} is a valid empty str.  len < cap <= STR_MAX, or all are 0.  A NUL
 * always follows the bytes; read through str_c(), never through ->s, because
 * s is NULL until something is added.  Growing cannot fail: without memory,
 * or past STR_MAX, it logs and exits 111. */
#ifndef LIB_STR_H
#define LIB_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STR_MAX ((size_t)1 << 30)       /* bytes; no input gets near it */

struct str {
	char *s;
	size_t len, cap;
};

const char *str_c(const struct str *);          /* "" when empty */
void str_reserve(struct str *, size_t more);    /* room for more bytes */
void str_catb(struct str *, const void *bytes, size_t n);
void str_cats(struct str *, const char *cstr);
void str_cat(struct str *, const struct str *);
void str_catc(struct str *, char);
void str_catu(struct str *, uint64_t);          /* decimal */
void str_catx(struct str *, uint64_t, unsigned width); /* hex, zero filled */
void str_cat0(struct str *, unsigned n, unsigned width); /* decimal, zeros */
void str_catf(struct str *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void str_copyb(struct str *, const void *bytes, size_t n);
void str_copys(struct str *, const char *cstr);
void str_copy(struct str *, const struct str *);
void str_trunc(struct str *, size_t len);       /* len <= ->len */
void str_clear(struct str *);                   /* empty, memory kept */
void str_free(struct str *);                    /* back to {0} */
void str_wipe(struct str *);            /* the same, and nothing is left of it */
void str_lower(struct str *);                   /* ASCII letters only */
void str_rstrip(struct str *);                  /* space, tab, LF at the end */
bool str_eqs(const struct str *, const char *cstr);
bool str_has_nul(const struct str *);

/* Byte ranges.  ASCII case only; bytes above 127 compare as they are. */
bool bytes_caseeq(const char *a, size_t alen, const char *b, size_t blen);
size_t bytes_chr(const char *s, size_t n, char c);      /* n when absent */
size_t bytes_rchr(const char *s, size_t n, char c);     /* n when absent */
char ascii_lower(char);

/* Reads the decimal digits at s: how many were read, 0 when there are none
 * or when the number does not fit (then *out is untouched). */
size_t scan_u64(const char *s, uint64_t *out);
size_t scan_x64(const char *s, size_t max, uint64_t *out);      /* hex */

/* Memory that cannot fail visibly: exits 111 when there is none. */
void *mem_alloc(size_t n, size_t size);         /* zeroed, checked n * size */
void *mem_resize(void *, size_t n, size_t size);
char *mem_dup_copy(const char *cstr);           /* caller frees */

#endif
