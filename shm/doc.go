// Package shm keeps agreed keys in shared memory: one writer, any number of readers in any language.
//
// A segment is a file in /dev/shm: a head and a table of 256-byte entries, one key each. docs/shm.md gives
// the layout to the byte and the rules of reading; hufu_shm.h is the same for C. A second file, NAME.confirm,
// always of mode 0600, holds what the writer needs for later verifications, and the lock.
//
// Readers take no lock and wait for nobody. Each entry has a sequence counter that is odd while the entry is
// being written; a reader passes over such an entry, and what it copied counts only if the counter did not
// move. A new key is written into an entry that holds none, and becomes current by one atomic store, so that
// a writer killed at any instant neither shows a torn key nor takes the current one away.
//
// Segments exist on Linux, amd64 and arm64. Elsewhere the package compiles and every call returns
// [ErrUnsupported].
package shm
