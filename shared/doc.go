// Package shared is what both ends of the protocol hufu1 have in common. It
// has no code itself; its folders are, from the bottom up:
//
//	wire      the bytes: messages, documents, token, limits, error codes
//	kex       the mathematics: key schedule, exchange, authCodes, proofs
//	client    the session of a client, native or in the browser
//	text      one catalog, English and Chinese, for terminals and console
//	settings  flag > environment > file > default; native only
//
// All but settings build for native and for js/wasm. Who may import whom is
// checked by deps_test.go.
//
// The specification is docs/protocol.md. Its messages, of one connection:
//
//	client                                                       server
//	  |                                                            |
//	  |  <------------------------------------------------ hello   |  serverId, n_s
//	  |  open ------------------------------------------------->   |  clientId, epoch, n_c, authCode
//	  |  <---------------------------------------------- open ok   |  role, idle, grace, now
//	  |                                                            |
//	  |  negotiate -------------------------------------------->   |  r1, share
//	  |  <----------------------------------------- negotiate ok   |  seckeyid, r2, share, lifetime, confirm
//	  |  verify ----------------------------------------------->   |  seckeyid, confirm
//	  |  <-------------------------------------------- verify ok   |  confirm, state
//	  |                                                            |
//	  |  <------------------------------------------------- push   |  seckeyid, state, reason; whenever
//	  |  receipt, revoke, view, administer, ping -------------->   |
//	  |  <---------------------------------- ok, or rv -1, error   |  in the order of the requests
//	  |  <------------------------------------------------ event   |  doc; to those who watch
//
// After open every message carries an authCode, a number q (client) or p
// (server) without gaps, and the two identifiers.
package shared
