/* vpop/password.c - checking and making password hashes; see password.h.
 *
 * What crypt(3) works on, 32 KB with the password in it, is wiped. */
#include "vpop/password.h"

#include "lib/base64.h"
#include "vpop/digest.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* crypt_gensalt(3)'s prefix, and the length of a result. */
static const struct scheme {
	const char *name, *prefix;
	size_t length;
} schemes[] = {         /* best first */
	{"yescrypt", "$y$", 73},
	{"sha512", "$6$", 106},
	{"sha256", "$5$", 63},
	{"md5", "$1$", 34},
};
#define NSCHEMES (sizeof schemes / sizeof *schemes)

void
password_wipe(struct str *s)
{
	str_wipe(s);
}

/* Every byte is looked at, whatever the others say. */
static bool
same(const void *a, size_t na, const void *b, size_t nb)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char differ = 0;

	if (na != nb)
		return false;
	for (size_t i = 0; i < na; i++)
		differ |= (unsigned char)(x[i] ^ y[i]);
	return differ == 0;
}

static bool
same_text(const char *a, const char *b)
{
	return same(a, strlen(a), b, strlen(b));
}

/* Appends what crypt(3) makes of it; -1 when it does not know the setting or
 * takes no such password. */
static int
hash_with(const char *setting, const char *password, struct str *out)
{
	struct crypt_data *d = mem_alloc(1, sizeof *d);
	const char *r = crypt_rn(password, setting, d, (int)sizeof *d);
	int e = errno;

	if (r != NULL)
		str_cats(out, r);
	explicit_bzero(d, sizeof *d);
	free(d);
	errno = e;
	return r != NULL ? 0 : -1;
}

static enum password_status
verify_crypt(const char *hash, const char *password)
{
	struct str got = {0};
	enum password_status st = PASSWORD_UNKNOWN;

	errno = 0;
	if (hash_with(hash, password, &got) == 0)
		st = same_text(str_c(&got), hash) ? PASSWORD_OK :
		    PASSWORD_WRONG;
	else if (errno == ERANGE)
		st = PASSWORD_WRONG;    /* too long to have been hashed */
	password_wipe(&got);
	return st;
}

/* What comes after the digest is salt, hashed after the password. */
static bool
is_digest(enum digest_kind kind, const struct str *stored, bool salted,
    const char *password)
{
	size_t n = kind == DIGEST_MD5 ? 16 : kind == DIGEST_SHA1 ? 20 : 32;
	unsigned char sum[DIGEST_MAX];
	struct digest d;
	bool ok;

	if (stored->len < n || (!salted && stored->len > n))
		return false;
	digest_init(&d, kind);
	digest_add(&d, password, strlen(password));
	digest_add(&d, stored->s + n, stored->len - n);
	(void)digest_end(&d, sum);
	ok = same(stored->s, n, sum, n);
	explicit_bzero(sum, sizeof sum);
	return ok;
}

/* Appends digits as lower case hexadecimal ones. */
static void
cat_hex(struct str *out, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_catx(out, p[i], 2);
}

static enum password_status
verify_md5_hex(const char *hex, const char *password)
{
	unsigned char sum[DIGEST_MAX];
	struct str text = {0}, want = {0};
	struct digest d;
	enum password_status st;

	digest_init(&d, DIGEST_MD5);
	digest_add(&d, password, strlen(password));
	cat_hex(&text, sum, digest_end(&d, sum));
	str_cats(&want, hex);
	str_lower(&want);
	st = same_text(str_c(&want), str_c(&text)) ? PASSWORD_OK :
	    PASSWORD_WRONG;
	explicit_bzero(sum, sizeof sum);
	password_wipe(&text);
	password_wipe(&want);
	return st;
}

static const struct {
	const char *name;
	enum digest_kind kind;
	bool salted;
} digests[] = {
	{"SHA", DIGEST_SHA1, false},
	{"SHA1", DIGEST_SHA1, false},
	{"SSHA", DIGEST_SHA1, true},
	{"SHA256", DIGEST_SHA256, false},
	{"SSHA256", DIGEST_SHA256, true},
	{"SMD5", DIGEST_MD5, true},
	{"LDAP-MD5", DIGEST_MD5, false},
	{"MD5", DIGEST_MD5, false},     /* crypt's, when it begins with $1$ */
};

static const char *const crypts[] = {"CRYPT", "MD5-CRYPT", "SHA256-CRYPT",
    "SHA512-CRYPT", "BLF-CRYPT", "DES-CRYPT", "MD5"};

static bool
is_name(const char *s, size_t n, const char *name)
{
	return strlen(name) == n && strncasecmp(s, name, n) == 0;
}

/* name of n bytes stood between braces. */
static enum password_status
verify_prefixed(const char *name, size_t n, const char *rest,
    const char *password)
{
	struct str raw = {0};
	enum password_status st = PASSWORD_UNKNOWN;

	if (is_name(name, n, "PLAIN") || is_name(name, n, "CLEARTEXT") ||
	    is_name(name, n, "CLEAR"))
		return rest[0] == '\0' ? PASSWORD_UNKNOWN :
		    same_text(rest, password) ? PASSWORD_OK : PASSWORD_WRONG;
	if (is_name(name, n, "PLAIN-MD5"))
		return verify_md5_hex(rest, password);
	for (size_t i = 0; i < sizeof crypts / sizeof *crypts; i++)
		if (is_name(name, n, crypts[i]) &&
		    (!is_name(name, n, "MD5") || rest[0] == '$'))
			return verify_crypt(rest, password);
	for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
		if (is_name(name, n, digests[i].name) &&
		    base64_decode(&raw, rest, strlen(rest)) == 0)
			st = is_digest(digests[i].kind, &raw,
			    digests[i].salted, password) ? PASSWORD_OK :
			    PASSWORD_WRONG;
	password_wipe(&raw);
	return st;
}

enum password_status
password_verify(const char *hash, const char *password)
{
	const char *end;

	if (hash[0] == '\0')
		return PASSWORD_UNKNOWN;
	end = hash[0] == '{' ? strchr(hash, '}') : NULL;
	if (end != NULL)
		return verify_prefixed(hash + 1, (size_t)(end - hash) - 1,
		    end + 1, password);
	return verify_crypt(hash, password);
}

void
password_dummy(const char *like, const char *password)
{
	enum password_status st = password_verify(like[0] != '\0' ? like :
	    PASSWORD_NOBODY, password);

	(void)st;
}

bool
password_is_weak(const char *hash)
{
	static const char *const strong[] = {"$y$", "$gy$", "$7$", "$2", "$6$",
	    "$5$"};
	const char *end = hash[0] == '{' ? strchr(hash, '}') : NULL;

	if (end != NULL)
		hash = end + 1;
	for (size_t i = 0; i < sizeof strong / sizeof *strong; i++)
		if (strncmp(hash, strong[i], strlen(strong[i])) == 0)
			return false;
	return true;
}

int
password_make(const char *scheme, size_t width, const char *password,
    struct str *out)
{
	bool automatic = strcmp(scheme, "auto") == 0;
	const struct scheme *s = NULL;
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	str_clear(out);
	for (size_t i = 0; i < NSCHEMES && s == NULL; i++)
		if (automatic ? schemes[i].length <= width :
		    strcmp(scheme, schemes[i].name) == 0)
			s = &schemes[i];
	if (s == NULL || s->length > width) {
		errno = s == NULL && !automatic ? EINVAL : E2BIG;
		return -1;
	}
	if (password[0] == '\0' ||
	    strlen(password) >= CRYPT_MAX_PASSPHRASE_SIZE) {
		errno = ERANGE;
		return -1;
	}
	if (crypt_gensalt_rn(s->prefix, 0, NULL, 0, setting,
	    (int)sizeof setting) == NULL)
		return -1;
	return hash_with(setting, password, out);
}

bool
password_is_cram_md5(const char *clear, const char *challenge,
    const char *hex)
{
	unsigned char sum[DIGEST_MAX];
	struct str want = {0};
	bool ok;

	cat_hex(&want, sum, digest_hmac(DIGEST_MD5, clear, strlen(clear),
	    challenge, strlen(challenge), sum));
	ok = same_text(str_c(&want), hex) && clear[0] != '\0';
	explicit_bzero(sum, sizeof sum);
	password_wipe(&want);
	return ok;
}

bool
password_is_apop(const char *clear, const char *stamp, const char *hex)
{
	unsigned char sum[DIGEST_MAX];
	struct str want = {0};
	struct digest d;
	bool ok;

	digest_init(&d, DIGEST_MD5);
	digest_add(&d, stamp, strlen(stamp));
	digest_add(&d, clear, strlen(clear));
	cat_hex(&want, sum, digest_end(&d, sum));
	ok = same_text(str_c(&want), hex) && clear[0] != '\0';
	explicit_bzero(sum, sizeof sum);
	password_wipe(&want);
	return ok;
}
