/* peers.c - connections counted per client and network, and penalties; see
 * peers.h. */
#include "supervise/peers.h"

#include "lib/hash.h"
#include "lib/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A client or a network as bytes: its kind and its prefix.  All kinds fit in
 * 8 bytes of prefix, so equal bytes are the same one. */
enum kind { CLIENT4 = 1, NETWORK4, CLIENT6, NETWORK6 };
#define KEY 9

struct peers_penalty {
	uint8_t client[KEY];    /* client[0] is 0: free */
	uint8_t level;          /* penalties so far */
	uint16_t count;         /* bad sessions since began */
	int64_t began;          /* of the window that count is of */
	int64_t until;          /* refused before this */
	int64_t last;           /* bad session */
};

static void
make_key(const struct ip *ip, bool network, uint8_t key[KEY])
{
	struct ip p = *ip;

	if (ip->family == 6)
		ip_mask(&p, network ? 48 : 64);
	else
		ip_mask(&p, network ? 24 : 32);
	key[0] = (uint8_t)(ip->family == 6 ? (network ? NETWORK6 : CLIENT6) :
	    (network ? NETWORK4 : CLIENT4));
	memcpy(key + 1, p.b, KEY - 1);
}

void
peers_init(struct peers *p)
{
	*p = (struct peers){0};
	if (getrandom(p->key, sizeof p->key, 0) != (ssize_t)sizeof p->key)
		die_sys(111, "unable to get random bytes");
	p->penalties = mem_alloc((size_t)PEERS_PLACES * PEERS_WAYS,
	    sizeof *p->penalties);
}

void
peers_free(struct peers *p)
{
	size_t at = 0, n;
	const char *key;
	void *client;

	while (map_next(&p->pids, &at, &key, &n, &client))
		free(client);
	map_free(&p->pids);
	map_free(&p->counts);
	free(p->penalties);
	*p = (struct peers){0};
}

/* Counts are kept in the pointers themselves; none is 0. */
static size_t
count(const struct peers *p, const uint8_t key[KEY])
{
	return (size_t)(uintptr_t)map_get(&p->counts, key, KEY);
}

static void
set_count(struct peers *p, const uint8_t key[KEY], size_t n)
{
	if (n == 0)
		map_del(&p->counts, key, KEY);
	else
		map_set(&p->counts, key, KEY, (void *)(uintptr_t)n);
}

static struct peers_penalty *
place(const struct peers *p, const uint8_t key[KEY])
{
	struct hash h;

	hash_init(&h, p->key[0], p->key[1]);
	hash_add(&h, key, KEY);
	return p->penalties + hash_end(&h) % PEERS_PLACES * PEERS_WAYS;
}

static struct peers_penalty *
find_penalty(const struct peers *p, const uint8_t key[KEY])
{
	struct peers_penalty *at = place(p, key);

	for (size_t i = 0; i < PEERS_WAYS; i++)
		if (memcmp(at[i].client, key, KEY) == 0)
			return &at[i];
	return NULL;
}

enum peers_verdict
peers_check(const struct peers *p, const struct srvlimits *l,
    const struct ip *ip, int64_t now)
{
	const struct peers_penalty *bad;
	uint8_t client[KEY], network[KEY];

	make_key(ip, false, client);
	make_key(ip, true, network);
	if (l->penalty > 0 && (bad = find_penalty(p, client)) != NULL &&
	    now < bad->until)
		return PEERS_PENALTY;
	if (l->address > 0 && count(p, client) >= l->address)
		return PEERS_ADDRESS;
	if (l->network > 0 && count(p, network) >= l->network)
		return PEERS_NETWORK;
	return PEERS_OK;
}

void
peers_add(struct peers *p, pid_t pid, const struct ip *ip)
{
	uint8_t key[KEY];
	uint8_t *client = mem_alloc(1, KEY);

	make_key(ip, true, key);
	set_count(p, key, count(p, key) + 1);
	make_key(ip, false, key);
	set_count(p, key, count(p, key) + 1);
	memcpy(client, key, KEY);
	map_set_id(&p->pids, (uint64_t)pid, client);
	p->n++;
}

bool
peers_end(struct peers *p, pid_t pid, struct ip *client_out)
{
	uint8_t *client = map_get_id(&p->pids, (uint64_t)pid);
	uint8_t key[KEY];

	if (client == NULL)
		return false;
	*client_out = (struct ip){.family = client[0] == CLIENT6 ? 6 : 4};
	memcpy(client_out->b, client + 1, KEY - 1);
	set_count(p, client, count(p, client) - 1);
	make_key(client_out, true, key);
	set_count(p, key, count(p, key) - 1);
	map_del_id(&p->pids, (uint64_t)pid);
	free(client);
	p->n--;
	return true;
}

/* The place for this client's penalty, its own or that of whoever was quiet
 * for the longest time. */
static struct peers_penalty *
claim(const struct peers *p, const uint8_t key[KEY], int64_t now)
{
	struct peers_penalty *at = place(p, key), *old = at;
	struct peers_penalty *own = find_penalty(p, key);

	if (own != NULL)
		return own;
	for (size_t i = 0; i < PEERS_WAYS; i++) {
		if (at[i].client[0] == 0) {
			old = &at[i];
			break;
		}
		if (at[i].last < old->last)
			old = &at[i];
	}
	*old = (struct peers_penalty){.began = now};
	memcpy(old->client, key, KEY);
	return old;
}

unsigned
peers_punish(struct peers *p, const struct srvlimits *l, const struct ip *ip,
    int64_t now)
{
	struct peers_penalty *bad;
	unsigned seconds;
	uint8_t key[KEY];

	if (l->penalty == 0)
		return 0;
	make_key(ip, false, key);
	bad = claim(p, key, now);
	/* Good for as long as the longest penalty: a clean sheet. */
	if (now - bad->last > l->penalty_max && now > bad->until)
		bad->level = 0;
	if (now - bad->began >= l->penalty_window) {
		bad->began = now;
		bad->count = 0;
	}
	bad->last = now;
	if (bad->count < UINT16_MAX)
		bad->count++;
	if (bad->count < l->penalty)
		return 0;
	seconds = l->penalty_time;
	for (unsigned i = 0; i < bad->level && seconds < l->penalty_max; i++)
		seconds *= 2;
	if (seconds > l->penalty_max)
		seconds = l->penalty_max;
	if (bad->level < UINT8_MAX)
		bad->level++;
	bad->count = 0;
	bad->until = now + seconds;
	return seconds;
}
