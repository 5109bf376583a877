/*
 * hufu_shm.h: read keys from a Hufu segment. C99 (and C++11), GCC or Clang, Linux on amd64 or arm64; nothing to
 * link. docs/shm.md explains the layout and the rules.
 *
 *   hufu_shm s;
 *   hufu_shm_result k;
 *   if (hufu_shm_open(&s, "hufu") < 0) ...
 *   if (hufu_shm_current(&s, "outlet1", &k) == HUFU_SHM_OK) seal(k.key, k.seckeyID, ...);
 *   if (hufu_shm_key(&s, "outlet1", number, &k) == HUFU_SHM_OK) open(k.key, ...);
 *   hufu_shm_zero(&k);
 *   hufu_shm_close(&s);
 *
 * Look-ups take no lock and never wait for the writer. A handle is for one thread at a time, since a look-up
 * that finds the segment destroyed maps the new one in its place; threads open a handle each.
 *
 * Include it before other headers, or define _GNU_SOURCE.
 */
#ifndef HUFU_SHM_H
#define HUFU_SHM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if !defined(O_NOFOLLOW) || !defined(CLOCK_BOOTTIME) || !defined(MADV_DONTDUMP)
#error "include hufu_shm.h before other headers, or define _GNU_SOURCE"
#endif
#if !defined(__linux__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || UINTPTR_MAX != UINT64_MAX
#error "Hufu segments exist on Linux, amd64 and arm64"
#endif

#define HUFU_SHM_MAGIC UINT64_C(0x314d485355465548) /* "HUFUSHM1" */
#define HUFU_SHM_VERSION 1u
#define HUFU_SHM_MAX_ENTRIES (1u << 24)
#define HUFU_SHM_KEY_SIZE 32
#define HUFU_SHM_MAX_ID 11

/* States. A key is usable, to open with, in the first three; the active one with the greatest number seals. */
enum { HUFU_PENDING = 1, HUFU_ACTIVE = 2, HUFU_RETIRED = 3, HUFU_EXPIRED = 4, HUFU_REVOKED = 5 };

/* What the functions return. hufu_shm_strerror says what to do. */
enum {
	HUFU_SHM_OK = 0,         /* a usable key */
	HUFU_SHM_NOT_USABLE = 1, /* known, but ended: state tells how, key is zero */
	HUFU_SHM_ABSENT = 2,     /* no such key, or no current one */
	HUFU_SHM_E_SYSTEM = -1,  /* errno tells */
	HUFU_SHM_E_ARGUMENT = -2,
	HUFU_SHM_E_NO_SEGMENT = -3,
	HUFU_SHM_E_SYMLINK = -4,
	HUFU_SHM_E_NOT_REGULAR = -5,
	HUFU_SHM_E_HARD_LINK = -6,
	HUFU_SHM_E_OWNER = -7,
	HUFU_SHM_E_MODE = -8,
	HUFU_SHM_E_ACCESS = -9,
	HUFU_SHM_E_MAGIC = -10,
	HUFU_SHM_E_LAYOUT = -11,
	HUFU_SHM_E_SIZE = -12,
	HUFU_SHM_E_GONE = -13
};

/* The head, 256 bytes. */
typedef struct Head {
	uint32_t total;  /* entries there is room for */
	uint32_t useNum; /* entries that hold a key */
	uint64_t magic;  /* 0 once the segment is destroyed */
	uint32_t version;
	uint32_t entrySize;
	uint32_t headSize;
	uint32_t maxProbe; /* every key stands less than this many entries after its home */
	uint64_t bootID[2];
	uint32_t writerPID;
	uint32_t reserved1;
	uint64_t writerStart; /* clock ticks after boot */
	uint64_t changes;
	int64_t created; /* CLOCK_BOOTTIME, ns */
	uint8_t reserved2[176];
} Head;

/* One entry, 256 bytes. */
typedef struct NodeSHMInfo {
	uint32_t seq;    /* odd while the entry is being written */
	uint32_t status; /* 1 usable, 0 not */
	uint64_t seckeyID;
	char clientID[12]; /* NUL-padded */
	char serverID[12]; /* NUL-padded */
	uint32_t state;    /* 0 never used */
	uint32_t keyLen;   /* 32 */
	int64_t notBefore; /* CLOCK_BOOTTIME, ns */
	int64_t notAfter;
	uint8_t seckey[128]; /* the first keyLen bytes are the key */
	uint8_t fingerprint[8];
	uint64_t generation;
	uint8_t reserved[48];
} NodeSHMInfo;

#ifdef __cplusplus
#define HUFU_SHM_AT(type, field, offset) static_assert(offsetof(type, field) == (offset), #type "." #field)
#define HUFU_SHM_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define HUFU_SHM_AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
#define HUFU_SHM_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif
HUFU_SHM_SIZE(Head, 256);
HUFU_SHM_AT(Head, total, 0);
HUFU_SHM_AT(Head, useNum, 4);
HUFU_SHM_AT(Head, magic, 8);
HUFU_SHM_AT(Head, version, 16);
HUFU_SHM_AT(Head, entrySize, 20);
HUFU_SHM_AT(Head, headSize, 24);
HUFU_SHM_AT(Head, maxProbe, 28);
HUFU_SHM_AT(Head, bootID, 32);
HUFU_SHM_AT(Head, writerPID, 48);
HUFU_SHM_AT(Head, reserved1, 52);
HUFU_SHM_AT(Head, writerStart, 56);
HUFU_SHM_AT(Head, changes, 64);
HUFU_SHM_AT(Head, created, 72);
HUFU_SHM_AT(Head, reserved2, 80);
HUFU_SHM_SIZE(NodeSHMInfo, 256);
HUFU_SHM_AT(NodeSHMInfo, seq, 0);
HUFU_SHM_AT(NodeSHMInfo, status, 4);
HUFU_SHM_AT(NodeSHMInfo, seckeyID, 8);
HUFU_SHM_AT(NodeSHMInfo, clientID, 16);
HUFU_SHM_AT(NodeSHMInfo, serverID, 28);
HUFU_SHM_AT(NodeSHMInfo, state, 40);
HUFU_SHM_AT(NodeSHMInfo, keyLen, 44);
HUFU_SHM_AT(NodeSHMInfo, notBefore, 48);
HUFU_SHM_AT(NodeSHMInfo, notAfter, 56);
HUFU_SHM_AT(NodeSHMInfo, seckey, 64);
HUFU_SHM_AT(NodeSHMInfo, fingerprint, 192);
HUFU_SHM_AT(NodeSHMInfo, generation, 200);
HUFU_SHM_AT(NodeSHMInfo, reserved, 208);

/* A key as it is handed out. */
typedef struct hufu_shm_result {
	uint64_t seckeyID;
	uint32_t state;
	uint32_t status;
	int64_t notBefore, notAfter;
	uint64_t generation;
	char clientID[12], serverID[12]; /* NUL-terminated */
	uint8_t fingerprint[8];
	uint8_t key[HUFU_SHM_KEY_SIZE]; /* zero unless status is 1 */
} hufu_shm_result;

/* An open segment. Its fields are the header's own business. */
typedef struct hufu_shm {
	const Head *head;
	const NodeSHMInfo *entries;
	size_t size;
	uint32_t total;
	uint64_t boot[2];
	dev_t dev;
	ino_t ino;
	long owner;
	int64_t looked;
	int locked;  /* 1: mlock succeeded; 0: keys may reach the swap device */
	int no_dump; /* 1: kept out of core dumps */
	char path[272];
} hufu_shm;

static inline const char *hufu_shm_strerror(int code)
{
	switch (code) {
	case HUFU_SHM_OK: return "usable";
	case HUFU_SHM_NOT_USABLE: return "the key is not usable any more";
	case HUFU_SHM_ABSENT: return "no such key, or no current one: negotiate one";
	case HUFU_SHM_E_SYSTEM: return strerror(errno);
	case HUFU_SHM_E_ARGUMENT: return "bad argument: a segment name without '/' or an absolute path; an id of 1 to 11 characters";
	case HUFU_SHM_E_NO_SEGMENT: return "no such segment: create it, or check its name";
	case HUFU_SHM_E_SYMLINK: return "refused, a symbolic link stands in place of the segment: find out who put it there and remove it";
	case HUFU_SHM_E_NOT_REGULAR: return "refused, not a regular file: remove what stands in place of the segment";
	case HUFU_SHM_E_HARD_LINK: return "refused, the file has a second hard link: find out who made it and remove the other name";
	case HUFU_SHM_E_OWNER: return "refused, the file belongs to another user: run as its owner, or name the owner";
	case HUFU_SHM_E_MODE: return "refused, the file mode is neither 0600 nor 0640: set it, or destroy and create the segment";
	case HUFU_SHM_E_ACCESS: return "no permission: run as the segment's owner, or join its group if it is group-readable";
	case HUFU_SHM_E_MAGIC: return "not a Hufu segment: use another name, or destroy and create it";
	case HUFU_SHM_E_LAYOUT: return "unknown layout version: use the same release of Hufu at both ends";
	case HUFU_SHM_E_SIZE: return "the file's size does not fit its head: destroy and create the segment";
	case HUFU_SHM_E_GONE: return "the segment was destroyed: create it again, readers then follow by themselves";
	}
	return "unknown error";
}

/* Overwrites a key that is not needed any more; the compiler may not leave it out. */
static inline void hufu_shm_zero(hufu_shm_result *r)
{
	memset(r, 0, sizeof *r);
	__asm__ __volatile__("" : : "r"(r) : "memory");
}

/* 8 bytes of the table, whatever type they are declared as. */
typedef uint64_t __attribute__((__may_alias__)) hufu_shm_word;

static inline uint64_t hufu_shm_load8(const void *p)
{
	return __atomic_load_n((const hufu_shm_word *)p, __ATOMIC_RELAXED);
}

/* An identifier in two words, and where its search begins. */
typedef struct hufu_shm_ident {
	uint64_t low;
	uint32_t high;
	uint32_t home;
} hufu_shm_ident;

static inline int hufu_shm_ident_of(const hufu_shm *s, const char *client, hufu_shm_ident *d)
{
	char b[12] = {0};
	size_t n = client ? strnlen(client, sizeof b) : 0;
	uint64_t h, m = UINT64_C(0xd6e8feb86659fd93);
	if (n < 1 || n > HUFU_SHM_MAX_ID)
		return HUFU_SHM_E_ARGUMENT;
	memcpy(b, client, n);
	memcpy(&d->low, b, 8);
	memcpy(&d->high, b + 8, 4);
	h = d->low ^ (uint64_t)d->high * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 32) * m;
	h = (h ^ h >> 32) * m;
	h ^= h >> 32;
	d->home = (uint32_t)((h & 0xffffffffu) * (uint64_t)s->total >> 32);
	return 0;
}

static inline int hufu_shm_is(const NodeSHMInfo *e, const hufu_shm_ident *d)
{
	return hufu_shm_load8(e->clientID) == d->low &&
	       __atomic_load_n((const uint32_t __attribute__((__may_alias__)) *)(e->clientID + 8), __ATOMIC_RELAXED) == d->high;
}

/* The two halves of the guard: what was read between them counts if the second returns 1. */
static inline int hufu_shm_begin(const NodeSHMInfo *e, uint32_t *seq)
{
#ifdef HUFU_SHM_NO_SEQ_CHECK /* for the test that must catch a reader without the guard */
	(void)e, (void)seq;
	return 1;
#else
	*seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
	return !(*seq & 1);
#endif
}

static inline int hufu_shm_end(const NodeSHMInfo *e, uint32_t seq)
{
#ifdef HUFU_SHM_NO_SEQ_CHECK
	(void)e, (void)seq;
	return 1;
#else
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&e->seq, __ATOMIC_RELAXED) == seq;
#endif
}

/* Copies an entry of d. Returns 0 if it is another's or was being written. */
static inline int hufu_shm_copy(const NodeSHMInfo *e, const hufu_shm_ident *d, hufu_shm_result *r)
{
	int tries, i;
	for (tries = 0; tries < 4; tries++) {
		uint32_t seq = 0, status, len, word;
		uint64_t eight;
		if (!hufu_shm_begin(e, &seq) || !hufu_shm_is(e, d))
			return 0;
		status = __atomic_load_n(&e->status, __ATOMIC_RELAXED);
		r->seckeyID = __atomic_load_n(&e->seckeyID, __ATOMIC_RELAXED);
		r->state = __atomic_load_n(&e->state, __ATOMIC_RELAXED);
		len = __atomic_load_n(&e->keyLen, __ATOMIC_RELAXED);
		r->notBefore = __atomic_load_n(&e->notBefore, __ATOMIC_RELAXED);
		r->notAfter = __atomic_load_n(&e->notAfter, __ATOMIC_RELAXED);
		r->generation = __atomic_load_n(&e->generation, __ATOMIC_RELAXED);
		for (i = 0; i < 3; i++) {
			word = __atomic_load_n((const uint32_t __attribute__((__may_alias__)) *)(e->serverID + 4 * i), __ATOMIC_RELAXED);
			memcpy(r->serverID + 4 * i, &word, 4);
		}
		for (i = 0; i < HUFU_SHM_KEY_SIZE; i += 8) {
			eight = hufu_shm_load8(e->seckey + i);
			memcpy(r->key + i, &eight, 8);
		}
		eight = hufu_shm_load8(e->fingerprint);
		memcpy(r->fingerprint, &eight, 8);
		if (!hufu_shm_end(e, seq))
			continue;
		memcpy(r->clientID, &d->low, 8);
		memcpy(r->clientID + 8, &d->high, 4);
		r->serverID[11] = 0;
		r->status = status == 1 && len == HUFU_SHM_KEY_SIZE && r->state >= HUFU_PENDING && r->state <= HUFU_RETIRED;
		return 1;
	}
	return 0;
}

/* Nothing usable leaves without a valid end: a passed one is status 0, whoever is alive to wipe. */
static inline int hufu_shm_settle(hufu_shm_result *r, int64_t now, int same_boot)
{
	if (r->status && same_boot && now < r->notAfter)
		return HUFU_SHM_OK;
	r->status = 0;
	memset(r->key, 0, sizeof r->key);
	if (r->state <= HUFU_RETIRED)
		r->state = HUFU_EXPIRED;
	return HUFU_SHM_NOT_USABLE;
}

static inline int hufu_shm_same_boot(const hufu_shm *s)
{
	return __atomic_load_n(&s->head->bootID[0], __ATOMIC_RELAXED) == s->boot[0] &&
	       __atomic_load_n(&s->head->bootID[1], __ATOMIC_RELAXED) == s->boot[1];
}

static inline int hufu_shm_read_boot(uint64_t boot[2])
{
	char text[40];
	uint8_t id[16];
	ssize_t n;
	int i, j = 0, fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return HUFU_SHM_E_SYSTEM;
	n = read(fd, text, sizeof text);
	close(fd);
	memset(id, 0, sizeof id);
	for (i = 0; i < n && j < 32; i++) {
		char c = text[i];
		unsigned v;
		if (c >= '0' && c <= '9')
			v = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = (unsigned)(c - 'a' + 10);
		else
			continue;
		id[j / 2] = (uint8_t)(id[j / 2] << 4 | v);
		j++;
	}
	if (j != 32) {
		errno = EIO;
		return HUFU_SHM_E_SYSTEM;
	}
	memcpy(boot, id, sizeof id);
	return 0;
}

static inline int64_t hufu_shm_now(void)
{
	struct timespec t;
	if (clock_gettime(CLOCK_BOOTTIME, &t) != 0)
		return INT64_MAX; /* without a clock every key has ended */
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Unmaps the segment. */
static inline void hufu_shm_close(hufu_shm *s)
{
	if (s->head)
		munmap((void *)(uintptr_t)s->head, s->size);
	s->head = NULL;
	s->entries = NULL;
}

/* What a reader accepts: one plain file of its own, or a group-readable one, or one of the owner it named. */
static inline int hufu_shm_check_file(const hufu_shm *s, const struct stat *st)
{
	mode_t mode = st->st_mode & 07777;
	if (!S_ISREG(st->st_mode))
		return HUFU_SHM_E_NOT_REGULAR;
	if (st->st_nlink > 1)
		return HUFU_SHM_E_HARD_LINK;
	if (st->st_nlink == 0)
		return HUFU_SHM_E_NO_SEGMENT;
	if (mode != 0600 && mode != 0640)
		return HUFU_SHM_E_MODE;
	if (s->owner >= 0 ? (long)st->st_uid != s->owner : st->st_uid != geteuid() && mode != 0640)
		return HUFU_SHM_E_OWNER;
	return 0;
}

/* Nothing of the head is used before it has passed here; total is not read again afterwards. */
static inline int hufu_shm_check_head(const Head *h, size_t size)
{
	if (size < sizeof(Head))
		return HUFU_SHM_E_SIZE;
	if (__atomic_load_n(&h->magic, __ATOMIC_ACQUIRE) != HUFU_SHM_MAGIC)
		return HUFU_SHM_E_MAGIC;
	if (h->version != HUFU_SHM_VERSION || h->entrySize != sizeof(NodeSHMInfo) || h->headSize != sizeof(Head))
		return HUFU_SHM_E_LAYOUT;
	if (h->total < 1 || h->total > HUFU_SHM_MAX_ENTRIES ||
	    size != sizeof(Head) + (size_t)h->total * sizeof(NodeSHMInfo))
		return HUFU_SHM_E_SIZE;
	return 0;
}

static inline int hufu_shm_map(hufu_shm *s)
{
	struct stat st;
	void *p;
	int code, fd = open(s->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP    ? HUFU_SHM_E_SYMLINK
		       : errno == ENOENT ? HUFU_SHM_E_NO_SEGMENT
		       : errno == EACCES ? HUFU_SHM_E_ACCESS
		       : errno == ENXIO  ? HUFU_SHM_E_NOT_REGULAR
					 : HUFU_SHM_E_SYSTEM;
	code = fstat(fd, &st) != 0 ? HUFU_SHM_E_SYSTEM : hufu_shm_check_file(s, &st);
	if (code == 0 && (st.st_size < (off_t)sizeof(Head) ||
			  (uint64_t)st.st_size > sizeof(Head) + (uint64_t)HUFU_SHM_MAX_ENTRIES * sizeof(NodeSHMInfo)))
		code = HUFU_SHM_E_SIZE;
	if (code != 0) {
		close(fd);
		return code;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return HUFU_SHM_E_SYSTEM;
	code = hufu_shm_check_head((const Head *)p, (size_t)st.st_size);
	if (code != 0) {
		munmap(p, (size_t)st.st_size);
		return code;
	}
	s->head = (const Head *)p;
	s->entries = (const NodeSHMInfo *)(const void *)((const uint8_t *)p + sizeof(Head));
	s->size = (size_t)st.st_size;
	s->total = (uint32_t)((s->size - sizeof(Head)) / sizeof(NodeSHMInfo));
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->looked = hufu_shm_now();
	s->locked = mlock(p, s->size) == 0;
	s->no_dump = madvise(p, s->size, MADV_DONTDUMP) == 0;
	return 0;
}

/* Opens a segment whose owner must have this user id; -1: the caller's own, or anyone's if mode 0640 and its
 * group let the caller read. name is one in /dev/shm or an absolute path. */
static inline int hufu_shm_open_owned(hufu_shm *s, const char *name, long owner)
{
	int n, code;
	memset(s, 0, sizeof *s);
	s->owner = owner;
	if (!name || !*name || *name == '.' || (*name != '/' && strchr(name, '/')))
		return HUFU_SHM_E_ARGUMENT;
	n = snprintf(s->path, sizeof s->path, "%s%s", *name == '/' ? "" : "/dev/shm/", name);
	if (n < 0 || (size_t)n >= sizeof s->path)
		return HUFU_SHM_E_ARGUMENT;
	code = hufu_shm_read_boot(s->boot);
	return code != 0 ? code : hufu_shm_map(s);
}

static inline int hufu_shm_open(hufu_shm *s, const char *name)
{
	return hufu_shm_open_owned(s, name, -1);
}

/* Follows a segment that was destroyed and made anew: at once by its magic, within a second by its name. */
static inline int hufu_shm_follow(hufu_shm *s, int64_t now)
{
	int code;
	if (s->head && __atomic_load_n(&s->head->magic, __ATOMIC_ACQUIRE) == HUFU_SHM_MAGIC) {
		struct stat st;
		if (now - s->looked < 1000000000)
			return 0;
		s->looked = now;
		if (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
			return 0;
	}
	if (!*s->path)
		return HUFU_SHM_E_ARGUMENT;
	hufu_shm_close(s);
	code = hufu_shm_map(s);
	return code == HUFU_SHM_E_NO_SEGMENT || code == HUFU_SHM_E_MAGIC ? HUFU_SHM_E_GONE : code;
}

/* The key with this number, to open with. Returns HUFU_SHM_OK, _NOT_USABLE, _ABSENT, or an error below 0. */
static inline int hufu_shm_key(hufu_shm *s, const char *client, uint64_t number, hufu_shm_result *r)
{
	hufu_shm_ident d;
	int64_t now = hufu_shm_now();
	uint32_t i, k, most;
	int code = hufu_shm_follow(s, now);
	memset(r, 0, sizeof *r);
	if (code != 0 || (code = hufu_shm_ident_of(s, client, &d)) != 0)
		return code;
	most = __atomic_load_n(&s->head->maxProbe, __ATOMIC_ACQUIRE);
	for (k = 0, i = d.home; k < most && k < s->total; k++) {
		const NodeSHMInfo *e = &s->entries[i];
		if (__atomic_load_n(&e->state, __ATOMIC_ACQUIRE) == 0)
			break;
		if (__atomic_load_n(&e->seckeyID, __ATOMIC_RELAXED) == number && hufu_shm_copy(e, &d, r) &&
		    r->seckeyID == number && r->state != 0)
			return hufu_shm_settle(r, now, hufu_shm_same_boot(s));
		i = i + 1 == s->total ? 0 : i + 1;
	}
	hufu_shm_zero(r);
	return HUFU_SHM_ABSENT;
}

/* The key to seal with: the active one with the greatest number. Returns HUFU_SHM_OK, _ABSENT, or an error below 0. */
static inline int hufu_shm_current(hufu_shm *s, const char *client, hufu_shm_result *r)
{
	hufu_shm_ident d;
	int64_t now = hufu_shm_now();
	int round, code = hufu_shm_follow(s, now);
	memset(r, 0, sizeof *r);
	if (code != 0 || (code = hufu_shm_ident_of(s, client, &d)) != 0)
		return code;
	/* A round that finds nothing may have seen the new key before it became current and the old one after. The
	 * change counter tells; then another round looks again. */
	for (round = 0; round < 64 && hufu_shm_same_boot(s); round++) {
		uint64_t changes = __atomic_load_n(&s->head->changes, __ATOMIC_ACQUIRE), number = 0;
		uint32_t i = d.home, k, most = __atomic_load_n(&s->head->maxProbe, __ATOMIC_ACQUIRE);
		const NodeSHMInfo *best = NULL;
		int moved = 0;
		if (round > 0)
			now = hufu_shm_now();
		for (k = 0; k < most && k < s->total; k++) {
			const NodeSHMInfo *e = &s->entries[i];
			uint32_t seq = 0, state;
			int even = hufu_shm_begin(e, &seq);
			state = __atomic_load_n(&e->state, __ATOMIC_ACQUIRE);
			if (state == 0)
				break;
			if (even && state == HUFU_ACTIVE && hufu_shm_is(e, &d) && __atomic_load_n(&e->status, __ATOMIC_RELAXED) == 1) {
				uint64_t n = __atomic_load_n(&e->seckeyID, __ATOMIC_RELAXED);
				int64_t from = __atomic_load_n(&e->notBefore, __ATOMIC_RELAXED);
				int64_t to = __atomic_load_n(&e->notAfter, __ATOMIC_RELAXED);
				if (!hufu_shm_end(e, seq))
					moved = 1;
				else if (now < from)
					moved |= round == 0; /* it became current after the clock was read */
				else if (n > number && now < to)
					best = e, number = n;
			}
			i = i + 1 == s->total ? 0 : i + 1;
		}
		if (best && hufu_shm_copy(best, &d, r) && r->status && (r->state == HUFU_ACTIVE || r->state == HUFU_RETIRED) &&
		    hufu_shm_settle(r, now, 1) == HUFU_SHM_OK)
			return HUFU_SHM_OK;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!best && !moved && __atomic_load_n(&s->head->changes, __ATOMIC_RELAXED) == changes)
			break;
	}
	hufu_shm_zero(r);
	return HUFU_SHM_ABSENT;
}

#endif
