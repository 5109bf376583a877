/*
 * witness SEGMENT CLIENT SERVER: looks the client's keys up all the time, the current one and those around it by
 * number, from before the segment is there until standard input ends, and checks what it gets:
 *
 *   - a usable key is the one of its fingerprint, of this client and this server, and before its end
 *   - a number has one fingerprint; its state never shrinks, its end never grows
 *   - what has ended once is never usable again, in no later segment either
 *
 * For each line of standard input it prints what it has seen and a line "end"; times are CLOCK_BOOTTIME, in ns:
 *
 *   key NUMBER FINGERPRINT FIRST LAST ENDED   the first and the last look-up that found it usable, 0 if none did,
 *                                             and whether one found that it has ended
 *   reads NUMBER GONE PAUSE                   look-ups, those without a segment, the longest time between two rounds
 *
 * At the first thing that is wrong it prints "bad: ..." and ends with 1.
 */
#include "hufu_shm.h"
#include <poll.h>
#include <stdlib.h>

#define NUMBERS 4096u /* the greatest number it knows */
#define AROUND 6u     /* how far below the newest one it looks */
#define EVERY 2       /* ms between rounds */

struct sight {
	uint8_t fingerprint[8];
	uint32_t state;
	int seen, ended;
	int64_t first, last, end;
};

static struct sight sights[NUMBERS];
static unsigned long long newest, reads, gone;
static int64_t begun, longest; /* the last round, and the longest time between two */

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* The fingerprint of a key: the first 8 bytes of SHA-256 over E("hufu1 fp", key), which is 52 bytes: one block. */
static void fingerprint(const uint8_t key[32], uint8_t out[8])
{
	static const uint32_t k[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
		0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
		0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
		0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
		0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
		0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
	uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	uint8_t block[64] = "\0\0\0\010hufu1 fp\0\0\0\001\0\0\0\040";
	uint32_t w[64], v[8];

	memcpy(block + 20, key, 32);
	block[52] = 0x80;
	block[62] = 52 * 8 >> 8, block[63] = 52 * 8 & 0xff;
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
		       (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t a = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
		uint32_t b = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += a, v[0] = a + b;
	}
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 4; j++)
			out[4 * i + j] = (uint8_t)((h[i] + v[i]) >> (24 - 8 * j));
}

static void bad(const char *what, const hufu_shm_result *k)
{
	printf("bad: %s: number %llu state %u client %s server %s\n", what, (unsigned long long)k->seckeyID, k->state, k->clientID, k->serverID);
	exit(1);
}

/* look judges one look-up that began at a time. */
static void look(int code, int64_t began, const hufu_shm_result *k, const char *client, const char *server)
{
	uint8_t fp[8];
	struct sight *s;

	reads++;
	if (code == HUFU_SHM_E_GONE || code == HUFU_SHM_E_NO_SEGMENT) {
		gone++;
		return;
	}
	if (code < 0) {
		printf("bad: %s\n", hufu_shm_strerror(code));
		exit(1);
	}
	if (code == HUFU_SHM_ABSENT)
		return;
	if (strcmp(k->clientID, client) != 0 || strcmp(k->serverID, server) != 0)
		bad("a foreign key", k);
	if (k->seckeyID < 1 || k->seckeyID >= NUMBERS)
		bad("such a number", k);
	s = &sights[k->seckeyID];
	if (code == HUFU_SHM_OK && s->ended)
		bad("usable after its end", k);
	if (s->seen && memcmp(s->fingerprint, k->fingerprint, 8) != 0)
		bad("another fingerprint", k);
	if (k->state < s->state)
		bad("its state shrank", k);
	memcpy(s->fingerprint, k->fingerprint, 8);
	s->state = k->state;
	s->seen = 1;
	if (k->seckeyID > newest)
		newest = k->seckeyID;
	if (code == HUFU_SHM_NOT_USABLE) {
		s->ended = 1;
		return;
	}
	fingerprint(k->key, fp);
	if (memcmp(fp, k->fingerprint, 8) != 0)
		bad("a torn key", k);
	if (k->notAfter <= began)
		bad("usable beyond its end", k);
	if (s->first && k->notAfter > s->end)
		bad("its end grew", k);
	s->end = k->notAfter;
	if (!s->first)
		s->first = began;
	s->last = now();
}

/* paused keeps the longest time between two rounds, the one since the last among them. */
static void paused(void)
{
	int64_t pause = now() - begun;

	if (pause > longest)
		longest = pause;
}

static void report(void)
{
	for (unsigned n = 1; n <= newest; n++) {
		if (!sights[n].seen)
			continue;
		printf("key %u ", n);
		for (int i = 0; i < 8; i++)
			printf("%02x", sights[n].fingerprint[i]);
		printf(" %lld %lld %s\n", (long long)sights[n].first, (long long)sights[n].last, sights[n].ended ? "true" : "false");
	}
	paused();
	printf("reads %llu %llu %lld\nend\n", reads, gone, (long long)longest);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	char line[64];
	hufu_shm s;
	hufu_shm_result k;
	int code;

	if (argc != 4)
		return 3;
	begun = now();
	for (code = HUFU_SHM_E_NO_SEGMENT;;) {
		int64_t began;

		paused();
		begun = began = now();
		if (code == HUFU_SHM_E_NO_SEGMENT || code == HUFU_SHM_E_MAGIC)
			code = hufu_shm_open(&s, argv[1]);
		if (code == 0) {
			look(hufu_shm_current(&s, argv[2], &k), began, &k, argv[2], argv[3]);
			for (unsigned long long n = newest > AROUND ? newest - AROUND : 1; n <= newest + 2; n++) {
				began = now();
				look(hufu_shm_key(&s, argv[2], n, &k), began, &k, argv[2], argv[3]);
			}
			hufu_shm_zero(&k);
		} else if (code != HUFU_SHM_E_NO_SEGMENT && code != HUFU_SHM_E_MAGIC) {
			printf("bad: %s\n", hufu_shm_strerror(code));
			return 1;
		}
		if (poll(&in, 1, EVERY) <= 0)
			continue;
		ssize_t got = read(0, line, sizeof line);
		if (got <= 0)
			break;
		report();
	}
	hufu_shm_close(&s);
	return 0;
}
