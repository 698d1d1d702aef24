PROGS += qmail-todo
MAN += send/qmail-todo.8
qmail-todo_SRC := send/qmail-todo.c send/todo.c send/config.c send/link.c \
	send/qfile.c send/sweep.c send/wish.c

PROGS += qmail-send
MAN += send/qmail-send.8
qmail-send_SRC := send/qmail-send.c send/send.c send/message.c \
	send/channel.c send/bouncer.c send/ctl.c send/config.c send/link.c \
	send/qfile.c send/schedule.c send/verp.c send/dest.c send/wish.c

PROGS += qmail-bounce
MAN += send/qmail-bounce.8
qmail-bounce_SRC := send/qmail-bounce.c send/bounce.c \
	send/notice.c send/status.c send/verp.c

PROGS += qmail-start
MAN += send/qmail-start.8
qmail-start_SRC := send/qmail-start.c

UNIT += send
send_UNIT_SRC := send/bouncer.c send/config.c send/link.c send/qfile.c \
	send/schedule.c send/verp.c send/wish.c
UNIT += wish status
wish_UNIT_SRC := send/wish.c
status_UNIT_SRC := send/status.c
FUZZ += status
status_FUZZ_SRC := send/status.c
FUZZ += link
link_FUZZ_SRC := send/link.c
