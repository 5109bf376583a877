// Package publish keeps a segment at the centre: every usable key of every
// outlet, under the number that the outlet has it by, as docs/shm.md lays it
// out. It follows the change table, whichever process made a change.
//
// One goroutine works: it looks at whole outlets, never at single changes.
// What marks an outlet has it look up the outlet's usable keys and bring the
// entries to them. A mark that comes too early, too often or without need does
// no harm, and a look-up sees at least what had been committed when it was
// marked. Another goroutine wipes what has ended, whether or not the store can
// be read.
//
// § in comments is a section of docs/protocol.md.
package publish
