/* flood.c - a TLS 1.3 client that sends KeyUpdate messages and no content:
 *
 *	cc -o flood flood.c -lssl -lcrypto; flood PORT COUNT
 *
 * Prints how many it could send, and whether the server ended the session. */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int
main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	long sent = 0, count = argc == 3 ? atol(argv[2]) : 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[1000];
	SSL *s;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc != 3 || c == NULL || fd < 0)
		return 100;
	a.sin_port = htons((unsigned short)atoi(argv[1]));
	(void)inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	if (connect(fd, (const struct sockaddr *)&a, sizeof a) < 0)
		return 111;
	s = SSL_new(c);
	if (s == NULL || SSL_set_min_proto_version(s, TLS1_3_VERSION) != 1 ||
	    SSL_set_fd(s, fd) != 1 || SSL_connect(s) != 1 ||
	    SSL_read(s, buf, sizeof buf) <= 0)
		return 111;
	while (sent < count && SSL_key_update(s,
	    SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(s) == 1)
		sent++;
	(void)printf("%ld %s\n", sent, SSL_read(s, buf, sizeof buf) <= 0 ?
	    "ended" : "goes on");
	return 0;
}
