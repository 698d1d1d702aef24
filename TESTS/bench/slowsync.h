/* TESTS/bench/slowsync.h - the page shared by slowsync and the bench, which
 * reads it as little-endian u32 delay, u32 unused, then u64 counters. */
#ifndef BENCH_SLOWSYNC_H
#define BENCH_SLOWSYNC_H

#include <stdint.h>

enum slowsync_call {
	SLOWSYNC_FSYNC, SLOWSYNC_FDATASYNC, SLOWSYNC_SYNCFS, SLOWSYNC_SYNC,
	SLOWSYNC_RANGE, SLOWSYNC_MSYNC, SLOWSYNC_EXEC, SLOWSYNC_CALLS
};

struct slowsync_page {
	uint32_t delay_us;
	uint32_t unused;
	uint64_t count[SLOWSYNC_CALLS];
};

#endif
