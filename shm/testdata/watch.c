/*
 * watch SEGMENT CLIENT: for each line of standard input looks up the current key, with one handle throughout, and
 * prints its number, "absent", or the error.
 */
#include "hufu_shm.h"

int main(int argc, char **argv)
{
	char line[16];
	hufu_shm s;
	hufu_shm_result k;

	if (argc != 3 || hufu_shm_open(&s, argv[1]) != 0)
		return 3;
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		int code = hufu_shm_current(&s, argv[2], &k);
		if (code == HUFU_SHM_OK)
			printf("%llu\n", (unsigned long long)k.seckeyID);
		else
			printf("%s\n", code == HUFU_SHM_ABSENT ? "absent" : hufu_shm_strerror(code));
		fflush(stdout);
	}
	hufu_shm_close(&s);
	return 0;
}
