#!/bin/sh
# directions.sh - fail when a room includes what lies above it.
# lib: lib.  mail: lib.  control: mail lib.  supervise, dnscache: lib.
# Every other room: control mail lib and itself.  TESTS may include anything.
bad=0
for room in */; do
	room=${room%/}
	case $room in
	TESTS|build*) continue ;;
	lib) may='lib' ;;
	mail) may='mail|lib' ;;
	supervise|dnscache|tls) may="$room|lib" ;;
	control) may='control|mail|lib' ;;
	*) may="$room|control|mail|lib" ;;
	esac
	wrong=$(grep -n '^#include "' "$room"/*.[ch] /dev/null 2>/dev/null |
	    grep -vE "#include \"($may)/")
	if [ -n "$wrong" ]; then
		echo "$wrong" | sed "s|\$| - $room/ may include only: $may|" >&2
		bad=1
	fi
done
exit $bad
