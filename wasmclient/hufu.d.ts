// The contract between the page and the wasm client. A key or a stored secret
// never crosses it: fingerprints do, and a new token, once. wasmclient's tests
// hold this file against what the bridge exports.
//
// Whatever can fail returns a promise: a function of Go's cannot throw. Callbacks
// are called in the order in which things happened, and before the promise of
// the request that caused them is settled; they may call any method. One that
// throws is reported on the console and changes nothing.

/** What the wasm module puts at globalThis.hufu once it runs. */
export interface Hufu {
  /** The version of the contract. */
  readonly version: 1;
  /** Tells what a token says of itself, without its secret. Rejects with "token". */
  inspect(token: string): Promise<TokenInfo>;
  /**
   * Makes a session, which connects and reconnects by itself until close. The
   * token's secret is wiped once the keys are derived. Rejects with "token" or "argument"; whether
   * the server can be reached is told by onStatus and opened.
   */
  connect(options: ConnectOptions): Promise<Session>;
}

export interface TokenInfo {
  url: string;
  serverId: string;
  clientId: string;
  role: "outlet" | "operator" | "auditor";
  epoch: number;
}

export interface ConnectOptions {
  token: string;
  /** The server's WebSocket address; by default the token's. */
  url?: string;
  /** Every message as it is sent or received. */
  onTrace?(event: TraceEvent): void;
  /** What happens to a key at this end. */
  onKey?(change: KeyChange): void;
  /** The state of the connection: it reconnects by itself until close. */
  onStatus?(status: Status): void;
}

export interface Status {
  state: "connecting" | "open" | "waiting" | "closed";
  /** Why the last connection ended or failed, with "waiting". */
  cause?: string;
  code?: ErrorCode;
  /** As in HufuError. */
  check?: string;
  closeCode?: number;
  /** Milliseconds until the next attempt, with "waiting". */
  retryIn?: number;
  /** Server's clock less this machine's, in milliseconds, with "open". */
  clockOff?: number;
}

export interface TraceEvent {
  /** Milliseconds since 1970. */
  at: number;
  sent: boolean;
  /** open, negotiate, verify, revoke, view, ping, administer, receipt, hello, push, event */
  name: string;
  /** Bytes of the whole message. */
  size: number;
  fields: { name: string; size: number; /** Absent for what is secret or not to be shown. */ value?: string }[];
}

export interface KeyChange {
  kind: "entered" | "current" | "retired" | "wiped" | "needed" | "failed";
  seckeyid: number;
  state?: KeyState;
  cause?: string;
}

export type KeyState = "pending" | "active" | "retired" | "expired" | "revoked";

export interface Key {
  seckeyid: number;
  fingerprint: string;
  /** From negotiate and verify: as the server says. From keys: at this end, "pending" being a key that opens and does not yet seal. */
  state: KeyState;
  /** The key to seal with. A newer key takes the place five seconds after it was verified. */
  current: boolean;
  /** Milliseconds until its end. */
  endsIn: number;
}

export interface Session {
  readonly info: TokenInfo;
  /**
   * Resolves when the connection is open, and rejects with "closed". So does
   * every request below wait for the connection, up to 15 s; then it rejects with why there is none.
   */
  opened(): Promise<{ role: TokenInfo["role"]; idle: number; grace: number; serverTime: number }>;
  /** Agrees a key and verifies it. */
  negotiate(): Promise<Key>;
  verify(seckeyid: number): Promise<Key>;
  revoke(seckeyid: number, reason: number): Promise<void>;
  /** The keys that this end holds, newest first. */
  keys(): Key[];
  view(filter: Filter, cursor: number, limit: number): Promise<{ rows: Row[]; cursor: number }>;
  /** Seals a text under the current key: AES-256-GCM under a key derived from it for this page. Rejects with "no-key". */
  seal(seckeyid: number, text: string): Promise<Uint8Array>;
  /** Opens what seal made, as long as the key is held. Rejects with "no-key" or "sealed". */
  open(seckeyid: number, sealed: Uint8Array): Promise<string>;
  /**
   * Has an operation done (docs/protocol.md §12). Of a reply with a sealed token
   * the token comes opened, as `token` in place of `sealed`. The operation
   * unwatch ends watch for the connections to come as well.
   */
  administer(op: Document): Promise<Document>;
  /**
   * Has onEvent called with every event above since, each once, over reconnections too; a smaller n may come after a
   * greater one, and kind "lost" says that some are left out. Resolves with the number after which those of now begin.
   */
  watch(onEvent: (event: Document) => void, since?: number): Promise<number>;
  /** Plays the proxy on the next message of a direction; "none" takes it back. */
  tamper(direction: "up" | "down", action: "flip" | "replay" | "drop" | "none"): Promise<void>;
  /** Ends the connection and wipes every key. Whatever is asked afterwards rejects with "closed". */
  close(): Promise<void>;
}

/** What travels as a document of docs/protocol.md §12: whole numbers from 0 to 2^53-1, strings, booleans, bytes, lists and objects of these. */
export type Document = { [key: string]: Value };
export type Value = number | string | boolean | Uint8Array | Value[] | Document;

export interface Filter {
  outlet?: string;
  /** Milliseconds since 1970. */
  from?: number;
  to?: number;
  states?: KeyState[];
}

export interface Row {
  n: number;
  outlet: string;
  seckeyid: number;
  state: KeyState;
  negotiated: number;
  verified?: number;
  retired?: number;
  expires: number;
  ended?: number;
  reason?: number;
  by?: string;
  receipt?: number;
  fingerprint: string;
}

/**
 * token, network, refused, silent, check, aged, closed, lost, no-key, sealed, argument, internal, or a code of the protocol:
 * error-1 … error-9. A request that was on its way when the connection ended has the code of why it ended, or "lost":
 * whether the server did it is not known.
 */
export type ErrorCode = string;

/** Every failure is a real Error with a code. */
export interface HufuError extends Error {
  readonly code: ErrorCode;
  /** Which check failed, with code "check": frame, cmdType, ids, p, q, authCode, role, seckeyid, share, confirm, doc. */
  readonly check?: string;
  /** The close code of the WebSocket, with code "lost" or "network"; 1006 stands for an end without one. */
  readonly closeCode?: number;
}

declare global {
  var hufu: Hufu;
}
