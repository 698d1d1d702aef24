PROGS += qmail-todo
qmail-todo_SRC := send/qmail-todo.c send/todo.c send/config.c send/link.c \
	send/qfile.c send/rewrite.c send/sweep.c

PROGS += qmail-send
qmail-send_SRC := send/qmail-send.c send/send.c send/message.c \
	send/channel.c send/bouncer.c send/ctl.c send/config.c send/link.c \
	send/qfile.c send/rewrite.c send/schedule.c

PROGS += qmail-bounce
qmail-bounce_SRC := send/qmail-bounce.c send/bounce.c send/config.c \
	send/rewrite.c

PROGS += qmail-start
qmail-start_SRC := send/qmail-start.c

UNIT += send
send_UNIT_SRC := send/bouncer.c send/config.c send/link.c send/qfile.c \
	send/rewrite.c send/schedule.c
