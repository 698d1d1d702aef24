/* dnsask - ask lib/dns from the command line, for scenario tests.
 * dnsask NAME TYPE: a type's number, "addresses", or "name" (NAME is an
 * address then).  Prints the status and a line per record; exits 0. */
#include "lib/dns.h"
#include "lib/log.h"

#include <stdio.h>
#include <string.h>

static void
print(const struct dns_answer *a)
{
	static const char *const words[] = {"ok", "nxdomain", "nodata",
	    "temp"};
	char buf[IP_TEXT];

	printf("%s %s\n", words[a->status], str_c(&a->cname));
	for (size_t i = 0; i < a->n; i++) {
		const struct dns_record *r = &a->rec[i];

		if (r->ip.family != 0)
			printf("%s\n", ip_text(&r->ip, buf));
		else
			printf("%u %s\n", (unsigned)r->pref, str_c(&r->data));
	}
}

int
main(int argc, char **argv)
{
	struct dns_answer a;
	uint64_t type;
	struct dns d;
	struct ip ip;

	log_init("dnsask");
	if (argc != 3)
		die_usage("dnsask name type");
	dns_init(&d);
	if (strcmp(argv[2], "addresses") == 0) {
		(void)dns_addresses(&d, argv[1], &a);
	} else if (strcmp(argv[2], "name") == 0) {
		if (ip_parse(argv[1], strlen(argv[1]), &ip) < 0)
			die(100, "no address: %s", argv[1]);
		(void)dns_name_of(&d, &ip, &a);
	} else {
		if (scan_u64(argv[2], &type) == 0)
			die(100, "no type: %s", argv[2]);
		(void)dns_ask(&d, argv[1], (enum dns_type)type, &a);
	}
	print(&a);
	dns_answer_free(&a);
	return 0;
}
