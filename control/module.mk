LIB_SRC += control/control.c
UNIT += control
FUZZ += control

PROGS += qmail-showctl
qmail-showctl_SRC := control/qmail-showctl.c control/showctl.c
MAN += control/qmail-control.5 control/qmail-showctl.8
UNIT += showctl
showctl_UNIT_SRC := control/showctl.c
LIB_SRC += control/route.c
UNIT += route
