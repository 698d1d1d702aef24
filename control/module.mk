LIB_SRC += control/control.c
