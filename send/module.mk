PROGS += qmail-todo
qmail-todo_SRC := send/qmail-todo.c send/todo.c send/config.c send/link.c \
	send/qfile.c send/rewrite.c send/sweep.c
