/* tls/tell.c - telling the services of a new generation; see store.h. */
#include "tls/store.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "tls/keyproto.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 30000
#define STEP_MS 20

/* What svc -h does.  0, or -1 when no supervise is there. */
static int
hang_up(const char *service_dir, const char *service)
{
	struct str p = {0};
	int fd, r = -1;

	str_catf(&p, "%s/%s/supervise/control", service_dir, service);
	fd = open(str_c(&p), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		r = fd_write_all(fd, "h", 1);
		fd_close(fd);
	}
	str_free(&p);
	return r;
}

/* 0: keyd has them all; 1: not yet; -1: it is not there. */
static int
look(const char *socket, const unsigned char (*ids)[32], size_t n)
{
	int fd = sock_connect(socket, SOCK_SEQPACKET, 1000), r = 0;

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < n && r == 0; i++)
		r = keyproto_has(fd, ids[i]) < 0 ? 1 : 0;
	fd_close(fd);
	return r;
}

int
store_tell(const char *service_dir, const char *keyd_socket,
    const unsigned char (*ids)[32], size_t n)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	int r = 1;

	if (hang_up(service_dir, "keyd") < 0) {
		log_info("keyd is not running: it will find the keys when it "
		    "starts");
		r = 0;
	}
	while (r != 0 && clock_mono_ms() < until) {
		r = look(keyd_socket, ids, n);
		if (r != 0)
			(void)poll(NULL, 0, STEP_MS);
	}
	if (r != 0) {
		log_warn("keyd has not loaded the keys: see its log; tlsd "
		    "was not told");
		return -1;
	}
	if (hang_up(service_dir, "tlsd") < 0)
		log_info("tlsd is not running: it will find the certificates "
		    "when it starts");
	return 0;
}
