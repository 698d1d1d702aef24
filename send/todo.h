/* send/todo.h - the preprocessor: from todo/ to qmail-send. */
#ifndef SEND_TODO_H
#define SEND_TODO_H

struct todo_fds {
	int from_send, to_send, to_clean, from_clean;
};

/* Runs until qmail-send closes its end (0), or until qmail-clean or a pipe is
 * lost (111).  HOME/queue is the working directory. */
int todo_run(const struct todo_fds *);

#endif
