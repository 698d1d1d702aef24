/* test_remote_message.c - the message on its way to the wire: line ends and
 * dots against a slow oracle in every split, the look through it, transfer
 * encodings decoded again, and conversions to 7 bits written out by hand. */
#include "TESTS/unit/unit.h"

#include "lib/io.h"
#include "lib/str.h"
#include "remote/crlf.h"
#include "remote/downgrade.h"
#include "remote/encode.h"
#include "remote/message.h"

#include <stdio.h>
#include <sys/mman.h>

static int
collect(void *arg, const char *s, size_t n)
{
	str_catb(arg, s, n);
	return 0;
}

/* Line by line, the way one would say it: see crlf.h. */
static void
oracle(struct str *out, const char *s, size_t n, bool dots)
{
	for (size_t i = 0; i < n;) {
		size_t end = i;

		while (end < n && s[end] != '\n')
			end++;
		if (dots && s[i] == '.')
			str_catc(out, '.');
		for (size_t k = i; k < end; k++)
			if (s[k] != '\r')
				str_catc(out, s[k]);
			else if (k + 1 < end)
				str_catc(out, ' ');
		str_cats(out, "\r\n");
		i = end + 1;
	}
}

static void
run(struct str *out, const char *s, size_t n, size_t step, bool dots)
{
	struct crlf c = {.dots = dots, .put = collect, .arg = out};

	for (size_t i = 0; i < n; i += step)
		assert_int_equal(crlf_feed(&c, s + i,
		    n - i < step ? n - i : step), 0);
	assert_int_equal(crlf_end(&c), 0);
}

/* Every text of up to seven of these bytes, in every split. */
static void
test_crlf_all_texts(void **state)
{
	static const char bytes[] = {'\r', '\n', '.', 'x'};
	struct str want = {0}, got = {0};

	(void)state;
	for (size_t n = 0; n <= 7; n++)
		for (size_t v = 0; v < (size_t)1 << (2 * n); v++) {
			char s[8];

			for (size_t i = 0; i < n; i++)
				s[i] = bytes[v >> (2 * i) & 3];
			for (int dots = 0; dots < 2; dots++)
				for (size_t step = 1; step <= n; step++) {
					str_clear(&want);
					str_clear(&got);
					oracle(&want, s, n, dots != 0);
					run(&got, s, n, step, dots != 0);
					assert_int_equal(got.len, want.len);
					assert_memory_equal(str_c(&got),
					    str_c(&want), got.len);
				}
		}
	str_free(&want);
	str_free(&got);
}

static int
file_of(const char *s, size_t n)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, s, n), 0);
	return fd;
}

static void
test_scan(void **state)
{
	static const struct {
		const char *text;
		uint64_t wire;
		bool eightbit, header, utf8;
	} cases[] = {
		{"", 0, false, false, true},
		{"a", 3, false, false, true},
		{"S: x\n\nbody\n", 14, false, false, true},
		{"S: x\r\n\r\nbody\r\n", 14, false, false, true},
		{"S: x\n\nb\xc3\xbc\n", 13, true, false, true},
		{"S: x\n\nb\xff\n", 12, true, false, true},
		{"S: x\r\n\r\nb\xff\n", 12, true, false, true},
		{"S: \xc3\xbc\n\nb\n", 12, true, true, true},
		{"S: \xfc\n\nb\n", 11, true, true, false},
		{"S: \xc3\n\xbc\n\nb\n", 14, true, true, false},
		{"S: \xe2\x82\xac\xf0\x9f\x98\x80\n\n", 14, true, true, true},
		{"S: \xe2\x82", 7, true, true, false},
		{"S: \xed\xa0\x80\n", 8, true, true, false},
		{"S: \xc0\xaf\n", 7, true, true, false},
		{"S: x\ny\xbc", 10, true, true, false},
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		int fd = file_of(cases[i].text, strlen(cases[i].text));
		struct message m;

		assert_int_equal(message_scan(&m, fd, 0), 0);
		assert_int_equal(m.wire_size, cases[i].wire);
		assert_int_equal(m.eightbit, cases[i].eightbit);
		assert_int_equal(m.header_eightbit, cases[i].header);
		assert_int_equal(m.header_utf8, cases[i].utf8);
		(void)close(fd);
	}
}

static void
test_scan_from_the_middle(void **state)
{
	int fd = file_of("skip\xff" "a\nb", 8);
	struct str out = {0};
	struct message m;
	int p[2];

	(void)state;
	assert_int_equal(message_scan(&m, fd, 5), 0);
	assert_false(m.eightbit);
	assert_int_equal(message_write(&m, true, collect, &out), 0);
	assert_string_equal(str_c(&out), "a\r\nb\r\n");
	assert_int_equal(message_scan(&m, fd, 100), 0);
	assert_int_equal(m.size, 0);
	/* A file that became shorter is an error, not a shorter message. */
	assert_int_equal(message_scan(&m, fd, 0), 0);
	assert_int_equal(ftruncate(fd, 6), 0);
	assert_int_equal(message_read(&m, collect, &out), -1);
	(void)close(fd);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(message_scan(&m, p[0], 0), -1);
	assert_int_equal(write(p[1], "from a pipe\n", 12), 12);
	(void)close(p[1]);
	fd = message_spool(p[0]);
	assert_true(fd >= 0);
	assert_int_equal(message_scan(&m, fd, 0), 0);
	assert_int_equal(m.wire_size, 13);
	(void)close(fd);
	(void)close(p[0]);
	str_free(&out);
}

static void
test_base64(void **state)
{
	static const char *const pairs[][2] = {  /* 4648:10 */
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"},
	};
	struct encode e = {0};
	struct str out = {0};
	char many[58];

	(void)state;
	for (size_t i = 0; i < N_OF(pairs); i++) {
		str_clear(&out);
		encode_base64_feed(&e, &out, pairs[i][0],
		    strlen(pairs[i][0]));
		encode_base64_end(&e, &out);
		assert_int_equal(out.len, strlen(pairs[i][1]) +
		    (i > 0 ? 1 : 0));
		assert_memory_equal(str_c(&out), pairs[i][1],
		    strlen(pairs[i][1]));
	}
	str_clear(&out);
	memset(many, 0, sizeof many);
	for (size_t i = 0; i < sizeof many; i++)
		encode_base64_feed(&e, &out, many + i, 1);
	encode_base64_end(&e, &out);
	assert_int_equal(bytes_chr(out.s, out.len, '\n'), 76);
	assert_string_equal(out.s + 77, "AA==\n");
	str_free(&out);
}

/* Decoding as in 2045:6.7, for what an encoder may write. */
static void
unquote(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 0;

		if (s[i] != '=') {
			str_catc(out, s[i]);
		} else if (s[i + 1] == '\n') {
			i++;
		} else {
			assert_int_equal(scan_x64(s + i + 1, 2, &v), 2);
			str_catc(out, (char)(unsigned char)v);
			i += 2;
		}
	}
}

static void
test_quoted_printable(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{"plain\n", "plain\n"},
		{"a=b\n", "a=3Db\n"},
		{"end \nend\t\n", "end=20\nend=09\n"},
		{"in side\n", "in side\n"},
		{"\xc3\xa9\n", "=C3=A9\n"},
		{"no end", "no end=\n"},
		{"\f\x7f\n", "=0C=7F\n"},
		{"", ""},
	};
	struct str out = {0}, back = {0}, text = {0};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct encode e = {0};

		str_clear(&out);
		encode_qp_feed(&e, &out, cases[i].text,
		    strlen(cases[i].text));
		encode_qp_end(&e, &out);
		assert_string_equal(str_c(&out), cases[i].want);
	}
	for (size_t len = 0; len < 400; len++) {
		struct encode e = {0};

		str_clear(&text);
		str_clear(&out);
		str_clear(&back);
		for (size_t i = 0; i < len; i++)
			str_catc(&text, (char)(unsigned char)(i * i * 7 +
			    (i % 5 == 0 ? ' ' : i)));
		for (size_t i = 0; i < len; i++)
			encode_qp_feed(&e, &out, text.s + i, 1);
		encode_qp_end(&e, &out);
		unquote(&back, str_c(&out), out.len);
		assert_int_equal(back.len, text.len);
		assert_memory_equal(str_c(&back), str_c(&text), text.len);
		for (size_t i = 0, k; i < out.len; i += k + 1) {
			k = bytes_chr(out.s + i, out.len - i, '\n');
			assert_true(k <= 76);
			assert_true(k == 0 || strchr(" \t",
			    out.s[i + k - 1]) == NULL);
		}
	}
	str_free(&out);
	str_free(&back);
	str_free(&text);
}

/* Stored with LF; what is wanted too, for the reader's sake. */
static const struct {
	const char *text;
	const char *want;       /* NULL: it cannot be done */
	const char *reason;
} downs[] = {
	{"Subject: x\n\nh\xe9\n",
	    "Subject: x\nMIME-Version: 1.0\n"
	    "Content-Type: text/plain; charset=unknown-8bit\n"
	    "Content-Transfer-Encoding: quoted-printable\n\nh=E9\n", NULL},
	{"Content-Type: text/html;\n charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\nX: y\n"
	    "MIME-Version: 1.0\n\nh\xc3\xa9=\n",
	    "Content-Type: text/html;\n charset=utf-8\nX: y\n"
	    "MIME-Version: 1.0\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n"
	    "h=C3=A9=3D\n", NULL},
	{"MIME-Version: 1.0\nContent-Type: image/x\n\nh\xff\nb\n",
	    "MIME-Version: 1.0\nContent-Type: image/x\n"
	    "Content-Transfer-Encoding: base64\n\n"
	    "aP8NCmINCg==\n", NULL},
	{"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
	    "Content-Transfer-Encoding: 8bit\n\npre\xe9\n--b\n\nplain\n"
	    "--b  \nContent-Transfer-Encoding: 8bit\n\n\xe9\n"
	    "--b\nContent-Type: image/x\n\n\xff\xff\xff\n"
	    "--b\nContent-Transfer-Encoding: binary\n\nascii\n"
	    "--b--\nepi\xe9\n",
	    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
	    "Content-Transfer-Encoding: 7bit\n\npre?\n--b\n\nplain\n"
	    "--b  \nContent-Transfer-Encoding: quoted-printable\n\n=E9\n"
	    "--b\nContent-Type: image/x\n"
	    "Content-Transfer-Encoding: base64\n\n////\n"
	    "--b\nContent-Transfer-Encoding: 7bit\n\nascii\n"
	    "--b--\nepi?\n", NULL},
	/* Multiparts and messages within; an outer boundary ends inner ones. */
	{"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	    "--b\nContent-Type: multipart/alternative; boundary=\"b b\"\n\n"
	    "--b b\n\n\xe9\n--b b\nContent-Type: message/rfc822\n\n"
	    "Subject: in\n\n\xe9\n--b\n\nlast\n--b--\n",
	    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	    "--b\nContent-Type: multipart/alternative; boundary=\"b b\"\n\n"
	    "--b b\nContent-Transfer-Encoding: quoted-printable\n\n=E9\n"
	    "--b b\nContent-Type: message/rfc822\n\n"
	    "Subject: in\nContent-Transfer-Encoding: quoted-printable\n\n"
	    "=E9\n--b\n\nlast\n--b--\n", NULL},
	{"MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n"
	    "--b\n\nSubject: in\n\n\xe9\n--b--\n",
	    "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n"
	    "--b\n\nSubject: in\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n=E9\n--b--\n",
	    NULL},
	/* A quoted-printable part with stray bytes is mended. */
	{"Content-Type: text/plain\nMIME-Version: 1.0\n"
	    "Content-Transfer-Encoding: Quoted-Printable\n\na=3D\xe9=\nb\n",
	    "Content-Type: text/plain\nMIME-Version: 1.0\n"
	    "Content-Transfer-Encoding: Quoted-Printable\n\na=3D=E9=\nb\n",
	    NULL},
	/* A boundary that only begins like one is text. */
	{"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	    "--b\n\n--bb\n--b-\n-b\n\xe9\n--b--\n",
	    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	    "--b\nContent-Transfer-Encoding: quoted-printable\n\n"
	    "--bb\n--b-\n-b\n=E9\n--b--\n", NULL},
	{"Subject: \xe9\n\nx\n", NULL, "header"},
	{"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	    "--b\nX: \xe9\n\nx\n--b--\n", NULL, "header"},
	{"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	    "--b\nX: \xe9", NULL, "header"},
	{"MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\n\n"
	    "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n\xe9\n"
	    "--c--\n--b--\n", NULL, "signed"},
	{"MIME-Version: 1.0\nContent-Type: message/partial\n\n\xe9\n", NULL,
	    "never encoded"},
	{"MIME-Version: 1.0\nContent-Type: text/plain\n"
	    "Content-Transfer-Encoding: base64\n\n\xe9\n", NULL,
	    "does not allow"},
	{"MIME-Version: 1.0\nContent-Type: text/plain\n"
	    "Content-Transfer-Encoding: x-uuencode\n\n\xe9\n", NULL,
	    "does not allow"},
	{"MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n\xe9\n", NULL,
	    "taken apart"},
};

/* The conversion of a stored text, with LF; -1: it cannot be done. */
static int
convert(const char *text, size_t n, struct str *out, const char **reason)
{
	int fd = file_of(text, n);
	struct downgrade d = {0};
	struct str wire = {0};
	struct message m;

	assert_int_equal(message_scan(&m, fd, 0), 0);
	assert_int_equal(downgrade_plan(&d, &m, reason), 0);
	if (*reason == NULL) {
		assert_int_equal(downgrade_write(&d, false, collect, &wire),
		    0);
		assert_int_equal(wire.len, d.size);
	}
	for (size_t i = 0; i < wire.len; i++) {
		assert_true((unsigned char)wire.s[i] < 128);
		if (wire.s[i] != '\r')
			str_catc(out, wire.s[i]);
	}
	downgrade_free(&d);
	str_free(&wire);
	(void)close(fd);
	return *reason == NULL ? 0 : -1;
}

static void
test_downgrade(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(downs); i++) {
		struct str out = {0};
		const char *reason;
		int r = convert(downs[i].text, strlen(downs[i].text), &out,
		    &reason);

		assert_int_equal(r, downs[i].want != NULL ? 0 : -1);
		if (r == 0)
			assert_string_equal(str_c(&out), downs[i].want);
		else
			assert_non_null(strstr(reason, downs[i].reason));
		str_free(&out);
	}
}

/* The same with CR LF in the file, and without the last line end. */
static void
test_downgrade_line_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(downs); i++) {
		struct str text = {0}, out = {0};
		const char *reason, *s = downs[i].text;

		if (downs[i].want == NULL)
			continue;
		for (; *s != '\0'; s++) {
			if (*s == '\n')
				str_catc(&text, '\r');
			str_catc(&text, *s);
		}
		assert_int_equal(convert(text.s, text.len, &out, &reason), 0);
		assert_string_equal(str_c(&out), downs[i].want);
		str_free(&text);
		str_free(&out);
	}
}

/* A message that ends anywhere is converted or refused, never spoilt: its
 * result is 7-bit (convert looks) and its size is what was announced. */
static void
test_downgrade_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(downs); i++)
		for (size_t n = 0; n < strlen(downs[i].text); n++) {
			struct str out = {0};
			const char *reason;

			(void)!convert(downs[i].text, n, &out, &reason);
			str_free(&out);
		}
}

static void
test_downgrade_limits(void **state)
{
	struct str text = {0}, out = {0};
	const char *reason;

	(void)state;
	for (size_t i = 0; i <= DOWNGRADE_DEPTH_MAX; i++)
		str_catf(&text, "%sContent-Type: multipart/mixed; "
		    "boundary=b%zu\n\n--b%zu\n", i == 0 ?
		    "MIME-Version: 1.0\n" : "", i, i);
	str_cats(&text, "\n\xe9\n");
	assert_int_equal(convert(text.s, text.len, &out, &reason), -1);
	assert_non_null(strstr(reason, "deeply"));
	str_copys(&text, "MIME-Version: 1.0\nContent-Type: multipart/mixed; "
	    "boundary=b\n\n");
	for (size_t i = 0; i <= DOWNGRADE_PARTS_MAX; i++)
		str_cats(&text, "--b\n\nx\n");
	str_cats(&text, "\xe9\n");
	assert_int_equal(convert(text.s, text.len, &out, &reason), -1);
	assert_non_null(strstr(reason, "many parts"));
	str_copys(&text, "X: ");
	for (size_t i = 0; i <= DOWNGRADE_HEADER_MAX; i++)
		str_catc(&text, 'x');
	str_cats(&text, "\n\n\xe9\n");
	assert_int_equal(convert(text.s, text.len, &out, &reason), -1);
	assert_non_null(strstr(reason, "too long"));
	/* A body line of any length is no such thing. */
	str_copys(&text, "X: y\n\n\xe9");
	for (size_t i = 0; i <= 300000; i++)
		str_catc(&text, 'x');
	str_catc(&text, '\n');
	assert_int_equal(convert(text.s, text.len, &out, &reason), 0);
	str_free(&text);
	str_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crlf_all_texts),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_scan_from_the_middle),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_quoted_printable),
		cmocka_unit_test(test_downgrade),
		cmocka_unit_test(test_downgrade_line_ends),
		cmocka_unit_test(test_downgrade_cut_anywhere),
		cmocka_unit_test(test_downgrade_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
