// Package session is one WebSocket as one session of the protocol hufu1: the
// order of frames, their checks, deadlines, limits and pushes. What a request
// means is keyservice's to decide.
//
// § in comments is a section of docs/protocol.md.
package session
