/*
 * The smallest complete consumer: reader [--show-key] SEGMENT CLIENT [SECKEYID]
 *
 * Without a number it looks up the current key. Prints number, state, status and fingerprint. Exit code: 0 usable,
 * 1 not usable, 2 absent, 3 error.
 *
 *   cc -std=c99 -I shm -o reader shm/testdata/reader.c
 */
#include "hufu_shm.h"
#include <stdlib.h>

static void print_hex(const char *name, const uint8_t *b, int n)
{
	printf("%s ", name);
	for (int i = 0; i < n; i++)
		printf("%02x", b[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	static const char *const states[] = {"unknown", "pending", "active", "retired", "expired", "revoked"};
	int show_key = argc > 1 && strcmp(argv[1], "--show-key") == 0;
	hufu_shm s;
	hufu_shm_result k;
	int code;

	argc -= show_key, argv += show_key;
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: reader [--show-key] SEGMENT CLIENT [SECKEYID]\n");
		return 3;
	}
	code = hufu_shm_open(&s, argv[1]);
	if (code == 0) {
		if (argc == 4) {
			char *end;
			errno = 0;
			uint64_t number = strtoull(argv[3], &end, 10);
			code = errno || end == argv[3] || *end || argv[3][0] == '-' ? HUFU_SHM_E_ARGUMENT
										    : hufu_shm_key(&s, argv[2], number, &k);
		} else {
			code = hufu_shm_current(&s, argv[2], &k);
		}
	}
	if (code < 0) {
		fprintf(stderr, "reader: %s: %s\n", argv[1], hufu_shm_strerror(code));
		hufu_shm_close(&s);
		return 3;
	}
	if (code == HUFU_SHM_ABSENT) {
		printf("absent\nstatus 0\n");
	} else {
		printf("number %llu\n", (unsigned long long)k.seckeyID);
		printf("state %s\n", states[k.state <= HUFU_REVOKED ? k.state : 0]);
		printf("status %u\n", k.status);
		print_hex("fingerprint", k.fingerprint, sizeof k.fingerprint);
		if (show_key && k.status)
			print_hex("key", k.key, sizeof k.key);
	}
	hufu_shm_zero(&k);
	hufu_shm_close(&s);
	return code;
}
