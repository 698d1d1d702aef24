/* send/schedule.c - the retry schedule; see schedule.h. */
#include "send/schedule.h"

#include "send/config.h"

static const uint64_t skip[CHANNELS] = {
	[CHANNEL_LOCAL] = 10,
	[CHANNEL_REMOTE] = 20,
};

uint64_t
schedule_isqrt(uint64_t x)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit != 0; bit >>= 1)
		if ((root | bit) * (root | bit) <= x)
			root |= bit;
	return root;
}

int64_t
schedule_next(int channel, int64_t birth, int64_t now)
{
	uint64_t n;

	if (birth > now)
		birth = now;
	n = schedule_isqrt((uint64_t)(now - birth)) + skip[channel];
	return birth + (int64_t)(n * n);
}

int64_t
schedule_clamp(int channel, int64_t birth, int64_t now, int64_t retry,
    int64_t due)
{
	int64_t last = schedule_next(channel, birth, now);

	if (last < now + retry)
		last = now + retry;
	return due < last ? due : last;
}

bool
schedule_dying(int64_t birth, int64_t now, uint64_t lifetime)
{
	return now > birth && (uint64_t)(now - birth) > lifetime;
}
