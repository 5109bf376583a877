/*
 * stress SEGMENT READS CLIENT...: reads current keys and keys by number, and checks that every key is the function
 * of client and number that the test's writer made it, so that a torn or foreign one is found.
 *
 * Prints "reads N misses N"; exit code 0, 1 for a bad key, 2 where a client has no current key, 3 for an error. A
 * miss is a number that was wiped before it was looked up. With -DHUFU_SHM_NO_SEQ_CHECK it reads without the guard.
 */
#include "hufu_shm.h"
#include <stdlib.h>

static void expected(const char *client, uint64_t number, uint8_t key[32])
{
	char b[12] = {0};
	uint64_t low, x;
	uint32_t high;
	memcpy(b, client, strnlen(client, 11));
	memcpy(&low, b, 8);
	memcpy(&high, b + 8, 4);
	x = low * UINT64_C(0x9e3779b97f4a7c15) + high + number * UINT64_C(0xd6e8feb86659fd93);
	for (int i = 0; i < 4; i++) {
		x ^= x >> 29;
		x = x * UINT64_C(0xbf58476d1ce4e5b9) + (uint64_t)i + 1;
		memcpy(key + 8 * i, &x, 8);
	}
}

static int bad(const char *client, const hufu_shm_result *k, int code)
{
	uint8_t want[32];
	expected(client, k->seckeyID, want);
	if (memcmp(want, k->key, 32) == 0)
		return 0;
	printf("torn key: client %s number %llu code %d\n", client, (unsigned long long)k->seckeyID, code);
	return 1;
}

int main(int argc, char **argv)
{
	hufu_shm s;
	hufu_shm_result k;
	uint64_t reads = 0, misses = 0, want;
	int code;

	if (argc < 4)
		return 3;
	want = strtoull(argv[2], NULL, 10);
	code = hufu_shm_open(&s, argv[1]);
	if (code != 0) {
		fprintf(stderr, "stress: %s\n", hufu_shm_strerror(code));
		return 3;
	}
	for (int c = 3; reads < want; c = c + 1 == argc ? 3 : c + 1) {
		code = hufu_shm_current(&s, argv[c], &k);
		reads++;
		if (code != HUFU_SHM_OK) {
			printf("client %s: %s\n", argv[c], hufu_shm_strerror(code));
			return code < 0 ? 3 : 2;
		}
		if (bad(argv[c], &k, code))
			return 1;
		/* Around the current number lie keys that are being wiped and written. */
		for (uint64_t n = k.seckeyID - 2, end = n + 4; n < end; n++, reads++) {
			code = hufu_shm_key(&s, argv[c], n, &k);
			if (code < 0) {
				fprintf(stderr, "stress: %s\n", hufu_shm_strerror(code));
				return 3;
			}
			if (code != HUFU_SHM_OK)
				misses++;
			else if (k.seckeyID != n || bad(argv[c], &k, code))
				return 1;
		}
	}
	printf("reads %llu misses %llu\n", (unsigned long long)reads, (unsigned long long)misses);
	hufu_shm_close(&s);
	return 0;
}
