/* lib/tcp.c - TCP sockets; see tcp.h.
 *
 * The race keeps at most TCP_RACE_MAX descriptors open, each connecting by
 * itself; one poll waits for all of them, for the next head start and for the
 * deadlines.  Trusts its caller; peers only get a handshake from here. */
#include "lib/tcp.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/str.h"
#include "lib/tai.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SERVICES_MAX ((size_t)1 << 20)  /* bytes of /etc/services */

struct attempt {
	int fd;                         /* -1: ended, or not begun */
	int64_t until;
};

struct race {
	const struct ip *addr;
	const struct tcp_options *opt;
	size_t n, next;                 /* addr[next] begins next */
	struct attempt at[TCP_RACE_MAX];
	int outcome[TCP_RACE_MAX];
	int error;                      /* of the last that failed at once */
	int64_t end, head;              /* ms: all over; next may begin */
};

/* Away from 0, 1 and 2, which a program's input or output may lack. */
static int
raise_fd(int fd)
{
	int high;

	if (fd < 0 || fd > 2)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	fd_close(fd);
	return high;
}

static int
open_socket(const struct ip *ip, int flags)
{
	return raise_fd(socket(ip->family == 4 ? AF_INET : AF_INET6,
	    SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

static int
bind_source(int fd, const struct ip *to, const struct tcp_options *o)
{
	const struct ip *from = to->family == 4 ? o->source4 : o->source6;
	const struct ip any = {.family = to->family};
	struct sockaddr_storage ss;
	const int on = 1;
	socklen_t len;

	if (from == NULL && o->source_port == 0)
		return 0;
	if (from != NULL && from->family != to->family) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	len = ip_to_sockaddr(from != NULL ? from : &any, o->source_port, &ss);
	if (o->source_port != 0) {
		if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
		    sizeof on) < 0)
			return -1;
	} else if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof on) < 0 && errno != ENOPROTOOPT) {
		return -1;
	}
	return bind(fd, (const struct sockaddr *)&ss, len);
}

/* A connecting or connected descriptor, or -1. */
static int
begin(const struct ip *ip, const struct tcp_options *o)
{
	struct sockaddr_storage ss;
	socklen_t len = ip_to_sockaddr(ip, o->port, &ss);
	int fd;

	if (len == (socklen_t)-1) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	fd = open_socket(ip, SOCK_NONBLOCK);
	if (fd < 0)
		return -1;
	if (bind_source(fd, ip, o) < 0 ||
	    (connect(fd, (const struct sockaddr *)&ss, len) < 0 &&
	    errno != EINPROGRESS && errno != EINTR)) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

static void
attempt_end(struct race *r, size_t i, int error)
{
	fd_close(r->at[i].fd);
	r->at[i].fd = -1;
	r->outcome[i] = error;
	if (error != ETIMEDOUT && error != TCP_LOST)
		r->error = error;
}

static void
attempt_begin(struct race *r, int64_t now)
{
	size_t i = r->next++;
	int fd = begin(&r->addr[i], r->opt);

	if (fd < 0) {
		r->outcome[i] = r->error = errno;
		return;
	}
	r->at[i].fd = fd;
	r->at[i].until = now + r->opt->each_ms;
	r->outcome[i] = EINPROGRESS;
	r->head = r->opt->head_ms == TCP_ONE_BY_ONE ? INT64_MAX : now +
	    (r->opt->head_ms > 0 ? r->opt->head_ms : TCP_HEAD_MS);
}

static size_t
running(const struct race *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->next; i++)
		n += r->at[i].fd >= 0;
	return n;
}

/* Ends those whose time is over. */
static void
expire(struct race *r, int64_t now)
{
	for (size_t i = 0; i < r->next; i++)
		if (r->at[i].fd >= 0 && now >= r->at[i].until)
			attempt_end(r, i, ETIMEDOUT);
}

/* Milliseconds until something is due. */
static int
wait_ms(const struct race *r, int64_t now)
{
	int64_t first = r->end;

	if (r->next < r->n && r->head < first)
		first = r->head;
	for (size_t i = 0; i < r->next; i++)
		if (r->at[i].fd >= 0 && r->at[i].until < first)
			first = r->at[i].until;
	if (first <= now)
		return 0;
	return first - now > INT_MAX ? INT_MAX : (int)(first - now);
}

/* One wait; the place of a connected one, or r->n. */
static size_t
step(struct race *r, int64_t now)
{
	struct pollfd p[TCP_RACE_MAX];
	bool failed = false;

	for (size_t i = 0; i < r->next; i++)
		p[i] = (struct pollfd){.fd = r->at[i].fd, .events = POLLOUT};
	if (poll(p, r->next, wait_ms(r, now)) <= 0)
		return r->n;
	for (size_t i = 0; i < r->next; i++) {
		int error = 0;
		socklen_t len = sizeof error;

		if (r->at[i].fd < 0 || p[i].revents == 0)
			continue;
		if (getsockopt(r->at[i].fd, SOL_SOCKET, SO_ERROR, &error,
		    &len) < 0)
			error = errno;
		if (error == 0)
			return i;
		attempt_end(r, i, error);
		failed = true;
	}
	if (failed)
		r->head = now;          /* the next need not wait: 8305:5 */
	return r->n;
}

static size_t
race(struct race *r)
{
	for (;;) {
		int64_t now = clock_mono_ms();
		size_t won;

		expire(r, now);
		if (now >= r->end)
			return r->n;
		while (r->next < r->n && (running(r) == 0 || now >= r->head))
			attempt_begin(r, now);
		if (running(r) == 0)
			return r->n;
		won = step(r, now);
		if (won < r->n)
			return won;
	}
}

int
tcp_connect(const struct ip *addr, size_t n, const struct tcp_options *opt,
    int *outcome, size_t *won_out)
{
	struct race r = {.addr = addr, .opt = opt, .end = INT64_MAX};
	int fd = -1;
	size_t won;

	if (n == 0) {
		errno = EDESTADDRREQ;
		return -1;
	}
	r.n = n > TCP_RACE_MAX ? TCP_RACE_MAX : n;
	if (opt->total_ms > 0)
		r.end = clock_mono_ms() + opt->total_ms;
	for (size_t i = 0; i < r.n; i++) {
		r.at[i].fd = -1;
		r.outcome[i] = TCP_UNTRIED;
	}
	won = race(&r);
	if (won < r.n) {
		fd = r.at[won].fd;
		r.at[won].fd = -1;
		r.outcome[won] = TCP_WON;
		if (won_out != NULL)
			*won_out = won;
	}
	for (size_t i = 0; i < r.n; i++)
		if (r.at[i].fd >= 0)
			attempt_end(&r, i, TCP_LOST);
	for (size_t i = 0; outcome != NULL && i < n; i++)
		outcome[i] = i < r.n ? r.outcome[i] : TCP_UNTRIED;
	if (fd < 0)
		errno = r.error != 0 ? r.error : ETIMEDOUT;
	return fd;
}

void
tcp_interleave(struct ip *addr, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		size_t k = i;
		struct ip other;

		while (k < n && addr[k].family == addr[i - 1].family)
			k++;
		if (k == n)
			return;                 /* one family is used up */
		other = addr[k];
		memmove(addr + i + 1, addr + i, (k - i) * sizeof *addr);
		addr[i] = other;
	}
}

int
tcp_listen(const struct ip *addr, uint16_t port, int backlog, bool v6only)
{
	struct ip at = *addr;
	struct sockaddr_storage ss;
	const int on = 1, only = v6only;
	socklen_t len;
	int fd;

	if (at.family == 0)
		at.family = 6;
	fd = open_socket(&at, SOCK_NONBLOCK);
	if (fd < 0 && addr->family == 0 && errno == EAFNOSUPPORT) {
		at.family = 4;
		fd = open_socket(&at, SOCK_NONBLOCK);
	}
	if (fd < 0)
		return -1;
	len = ip_to_sockaddr(&at, port, &ss);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    (at.family == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
	    &only, sizeof only) < 0) ||
	    bind(fd, (const struct sockaddr *)&ss, len) < 0 ||
	    listen(fd, backlog) < 0) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

int
tcp_accept(int listener, struct ip *ip_out, uint16_t *port_out)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;
	struct ip ip;
	int fd = raise_fd(accept4(listener, (struct sockaddr *)&ss, &len,
	    SOCK_CLOEXEC));

	if (fd < 0)
		return -1;
	if (ip_from_sockaddr(&ss, ip_out != NULL ? ip_out : &ip,
	    port_out) < 0) {
		fd_close(fd);
		errno = EAFNOSUPPORT;
		return -1;
	}
	return fd;
}

static int
end_of(int fd, int (*which)(int, struct sockaddr *restrict,
    socklen_t *restrict), struct ip *ip_out, uint16_t *port_out)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;
	struct ip ip;

	if (which(fd, (struct sockaddr *)&ss, &len) < 0)
		return -1;
	if (ip_from_sockaddr(&ss, ip_out != NULL ? ip_out : &ip,
	    port_out) < 0) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return 0;
}

int
tcp_local(int fd, struct ip *ip_out, uint16_t *port_out)
{
	return end_of(fd, getsockname, ip_out, port_out);
}

int
tcp_peer(int fd, struct ip *ip_out, uint16_t *port_out)
{
	return end_of(fd, getpeername, ip_out, port_out);
}

int
tcp_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* One line of services(5): name, port/protocol, other names, # comment. */
static bool
service_line(const char *line, size_t n, const char *name, uint16_t *out)
{
	size_t len = strlen(name), field = 0, used = 0;
	bool named = false, tcp = false;
	uint64_t port = 0;

	n = bytes_chr(line, n, '#');
	for (size_t i = 0; i < n; i++) {
		size_t from = i;

		while (i < n && strchr(" \t\r", line[i]) == NULL)
			i++;
		if (i == from)
			continue;
		if (field++ == 1) {
			used = scan_u64(line + from, &port);
			tcp = used > 0 && i - from - used == 4 &&
			    memcmp(line + from + used, "/tcp", 4) == 0;
		} else if (i - from == len &&
		    memcmp(line + from, name, len) == 0) {
			named = true;
		}
	}
	if (!named || !tcp || port > UINT16_MAX)
		return false;
	*out = (uint16_t)port;
	return true;
}

int
tcp_parse_port(const char *s, uint16_t *out)
{
	struct str file = {0};
	uint64_t port;
	bool found = false;
	size_t i = 0;

	if (s[0] >= '0' && s[0] <= '9') {
		if (s[scan_u64(s, &port)] == '\0' && port <= UINT16_MAX) {
			*out = (uint16_t)port;
			return 0;
		}
		errno = EINVAL;
		return -1;
	}
	if (s[0] != '\0' && fs_read("/etc/services", &file,
	    SERVICES_MAX) == 0)
		while (!found && i < file.len) {
			size_t n = bytes_chr(file.s + i, file.len - i, '\n');

			found = service_line(file.s + i, n, s, out);
			i += n + 1;
		}
	str_free(&file);
	if (found)
		return 0;
	errno = EINVAL;
	return -1;
}
