// Package client is the client's end of the protocol hufu1, for the terminal
// and for the browser alike:
//
//	Dial       a WebSocket, natively or the browser's own, behind Transport
//	Session    one connection: open, then requests and replies in order, pushes
//	Keeper     the life of the keys at the client, over a Holder of their bytes
//	Client     keeps a Session open: addresses, backoff, age
//
// A Session believes nothing before its authCode held. Whatever can be forged,
// a refused open or a close code, is to it a lost connection and nothing more.
//
// The specification is docs/protocol.md; § in comments is a section of it.
package client
