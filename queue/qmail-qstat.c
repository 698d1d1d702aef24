/* qmail-qstat - count the messages in the queue.
 * Runs as:  root or a member of group qmail who may read mess/ and todo/.
 * Trusts:   file names only; opens no file.
 * Exits:    0, 100 on misuse, 111 when the queue cannot be read. */
#include "lib/io.h"
#include "lib/log.h"
#include "mail/qpath.h"
#include "queue/qscan.h"

int
main(int argc, char **argv)
{
	struct str why = {0}, text = {0};
	uint64_t mess, todo;

	(void)argv;
	log_init("qmail-qstat");
	if (argc != 1)
		die_usage("qmail-qstat");
	if (qscan_enter(QUEUE_DIR, &why) < 0 ||
	    qscan_count(&mess, &todo, &why) < 0)
		die(111, "%s", str_c(&why));
	str_cats(&text, "messages in queue: ");
	str_catu(&text, mess);
	str_cats(&text, "\nmessages in queue but not yet preprocessed: ");
	str_catu(&text, todo);
	str_catc(&text, '\n');
	if (fd_write_all(1, str_c(&text), text.len) < 0)
		die_sys(111, "unable to write the counts");
	return 0;
}
