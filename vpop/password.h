/* vpop/password.h - checking and making password hashes.
 *
 * Stored forms that are understood: every scheme of crypt(3); the same after
 * {CRYPT}, {MD5-CRYPT}, {SHA256-CRYPT}, {SHA512-CRYPT}, {BLF-CRYPT},
 * {DES-CRYPT}; {PLAIN}, {CLEARTEXT}; {SHA}, {SSHA}, {SHA256}, {SSHA256},
 * {SMD5}, {LDAP-MD5}, {PLAIN-MD5}, {MD5}.  Made are only crypt(3) strings.
 * Passwords are C strings of a stranger's; nothing here logs or keeps one.
 * Programs link -lcrypt. */
#ifndef VPOP_PASSWORD_H
#define VPOP_PASSWORD_H

#include "lib/str.h"

enum password_status {
	PASSWORD_OK,
	PASSWORD_WRONG,
	PASSWORD_UNKNOWN,       /* the stored form is not understood, or "" */
};

/* Takes as long for a wrong password as for the right one. */
__attribute__((warn_unused_result))
enum password_status password_verify(const char *hash, const char *password);
/* Takes as long as password_verify with that hash, and says nothing: for
 * users that are not there.  like "": as with PASSWORD_NOBODY. */
#define PASSWORD_NOBODY "$y$j9T$................$....................." \
	"......................"
void password_dummy(const char *like, const char *password);

/* Made by a scheme that is cheap to guess at: DES, MD5, one round of
 * anything, or none. */
bool password_is_weak(const char *hash);

/* scheme: auto, yescrypt, sha512, sha256 or md5; auto takes the first of them
 * whose result has at most width bytes.  *out is replaced.  -1: E2BIG it does
 * not fit; EINVAL no such scheme; ERANGE the password is too long (from 512
 * bytes on) or empty; or what keeps random numbers from being had. */
__attribute__((warn_unused_result))
int password_make(const char *scheme, size_t width, const char *password,
    struct str *out);

/* Is hex the HMAC-MD5 of challenge (2195), or the MD5 of stamp and password
 * (1939:7)?  clear "": no. */
bool password_is_cram_md5(const char *clear, const char *challenge,
    const char *hex);
bool password_is_apop(const char *clear, const char *stamp, const char *hex);

/* Wipes and frees. */
void password_wipe(struct str *);

#endif
