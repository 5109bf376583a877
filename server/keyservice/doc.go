// Package keyservice is the rules: who is enrolled, how a key is negotiated,
// verified and revoked, when it ends, who may see what, and what the history
// keeps. It knows no network and no database: sessions call it, and it decides
// over a Store.
//
// Every state change is a Change, decided over one outlet's Ledger and
// committed before it is answered; the writer gathers those that wait into one
// transaction. What others have to hear of goes through the change table and
// the follower, whichever process wrote it.
//
// § in comments is a section of docs/protocol.md.
package keyservice
