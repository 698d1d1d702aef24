/* TESTS/unit/unit.h - what every unit test includes, cmocka's own needs first.
 *
 * unit_dies() is for code that leaves the process: it runs in a child. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The wait status of a child that ran fn(arg) and then left with 0; text, of
 * size bytes, gets what it wrote on descriptor 2, with a NUL. */
static inline int
unit_child(void (*fn)(void *), void *arg, char *text, size_t size)
{
	size_t len = 0;
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE,
		    SIGABRT};

		/* or cmocka's handlers would go on with the next test here */
		for (size_t i = 0; i < N_OF(crashes); i++)
			(void)signal(crashes[i], SIG_DFL);
		(void)dup2(fd[1], 2);
		(void)close(fd[0]);
		(void)close(fd[1]);
		fn(arg);
		_exit(0);
	}
	(void)close(fd[1]);
	while (len + 1 < size && (n = read(fd[0], text + len,
	    size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* fn(arg) must leave with this exit code and these words on descriptor 2. */
static inline void
unit_dies(void (*fn)(void *), void *arg, int code, const char *words)
{
	char text[2048];
	int status = unit_child(fn, arg, text, sizeof text);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	if (strstr(text, words) == NULL)
		assert_string_equal(text, words);
}

#endif
