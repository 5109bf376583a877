/*
 * rotation CLIENT OUTLET CENTRE...: the applications at both ends of one client's keys. It waits until every
 * segment has a current key, prints "ready", and until standard input ends looks, every millisecond, whether each
 * end finds under its number the key that the other seals with at this moment: the outlet's in every segment at
 * the centre, and theirs in the outlet's.
 *
 * At the end it prints
 *
 *   rounds R messages M windows W torn T without N keys K pause NS
 *
 * where W messages found no key or another one, T look-ups gave other bytes than before under the same number, N
 * times an end had nothing to seal with, K keys were current at the outlet, and NS is the longest time between two
 * rounds. Lines before it tell of each window and each torn key.
 */
#include "hufu_shm.h"
#include <poll.h>
#include <stdlib.h>

#define NUMBERS 4096u
#define ENDS 8

static struct {
	int seen;
	uint8_t key[HUFU_SHM_KEY_SIZE];
} first[NUMBERS];
static unsigned long long rounds, messages, windows, torn, without, keys, newest;

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void fail(const char *segment, int code)
{
	fprintf(stderr, "rotation: %s: %s\n", segment, hufu_shm_strerror(code));
	exit(3);
}

/* whole checks that a number has the bytes that it had first. */
static void whole(const char *segment, const hufu_shm_result *k)
{
	if (k->seckeyID < 1 || k->seckeyID >= NUMBERS)
		fail(segment, HUFU_SHM_E_ARGUMENT);
	if (!first[k->seckeyID].seen) {
		first[k->seckeyID].seen = 1;
		memcpy(first[k->seckeyID].key, k->key, sizeof k->key);
	} else if (memcmp(first[k->seckeyID].key, k->key, sizeof k->key) != 0) {
		printf("torn: %s: key %llu\n", segment, (unsigned long long)k->seckeyID);
		torn++;
	}
}

/* pass has one end seal and the other open. */
static void pass(hufu_shm *from, const char *sealing, hufu_shm *to, const char *opening, const char *client)
{
	hufu_shm_result a, b, again;
	int code = hufu_shm_current(from, client, &a);

	if (code < 0)
		fail(sealing, code);
	if (code != HUFU_SHM_OK) {
		without++;
		return;
	}
	whole(sealing, &a);
	messages++;
	if ((code = hufu_shm_key(to, client, a.seckeyID, &b)) < 0)
		fail(opening, code);
	if (code == HUFU_SHM_OK)
		whole(opening, &b);
	if (code != HUFU_SHM_OK || memcmp(a.key, b.key, sizeof a.key) != 0) {
		/* Unless this process stood still in between, so that the key has ended at both ends. */
		if (hufu_shm_current(from, client, &again) == HUFU_SHM_OK && again.seckeyID == a.seckeyID) {
			printf("window: %s seals under key %llu, %s does not open it\n", sealing, (unsigned long long)a.seckeyID, opening);
			windows++;
		}
		hufu_shm_zero(&again);
	}
	hufu_shm_zero(&a);
	hufu_shm_zero(&b);
}

static void await(hufu_shm *s, const char *segment, const char *client)
{
	hufu_shm_result k;
	int code;

	while ((code = hufu_shm_open(s, segment)) == HUFU_SHM_E_NO_SEGMENT || code == HUFU_SHM_E_MAGIC)
		poll(NULL, 0, 5);
	while (code >= 0 && (code = hufu_shm_current(s, client, &k)) != HUFU_SHM_OK && code >= 0)
		poll(NULL, 0, 5);
	if (code < 0)
		fail(segment, code);
	hufu_shm_zero(&k);
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = 0, .events = POLLIN | POLLHUP};
	hufu_shm ends[ENDS];
	hufu_shm_result k;
	int64_t before, pause = 0;
	int ended;

	if (argc < 4 || argc - 2 > ENDS)
		return 3;
	for (int i = 2; i < argc; i++)
		await(&ends[i - 2], argv[i], argv[1]);
	printf("ready\n");
	fflush(stdout);
	before = now();
	do {
		int64_t t;

		ended = poll(&in, 1, 1) != 0; /* and there is a whole round after that */
		t = now();
		if (t - before > pause)
			pause = t - before;
		before = t;
		for (int i = 3; i < argc; i++) {
			pass(&ends[0], argv[2], &ends[i - 2], argv[i], argv[1]);
			pass(&ends[i - 2], argv[i], &ends[0], argv[2], argv[1]);
		}
		if (hufu_shm_current(&ends[0], argv[1], &k) == HUFU_SHM_OK && k.seckeyID > newest) {
			newest = k.seckeyID;
			keys++;
		}
		hufu_shm_zero(&k);
		rounds++;
	} while (!ended);
	printf("rounds %llu messages %llu windows %llu torn %llu without %llu keys %llu pause %lld\n",
	       rounds, messages, windows, torn, without, keys, (long long)pause);
	for (int i = 2; i < argc; i++)
		hufu_shm_close(&ends[i - 2]);
	return windows + torn + without > 0;
}
