// The contract between the page and the wasm client. A key or a stored secret
// never crosses it: fingerprints do, and a new token, once. wasmclient's tests
// hold this file against what the bridge exports.

/** What the wasm module puts at globalThis.hufu once it runs. */
export interface Hufu {
  /** The version of the contract. */
  readonly version: 1;
  /** Tells what a token says of itself, without its secret. Throws HufuError "token". */
  inspect(token: string): TokenInfo;
  /** Opens a connection. The token's secret stays in the wasm memory and is wiped once the keys are derived. */
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
  /** Why the last connection ended or failed. */
  cause?: string;
  code?: ErrorCode;
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
  state: KeyState;
  current: boolean;
  /** Milliseconds until its end. */
  endsIn: number;
}

export interface Session {
  readonly info: TokenInfo;
  /** Resolves when the connection is open, or rejects when it was closed. */
  opened(): Promise<{ role: TokenInfo["role"]; idle: number; grace: number; serverTime: number }>;
  /** Agrees a key and verifies it. */
  negotiate(): Promise<Key>;
  verify(seckeyid: number): Promise<Key>;
  revoke(seckeyid: number, reason: number): Promise<void>;
  /** The keys that this end holds, newest first. */
  keys(): Key[];
  view(filter: Filter, cursor: number, limit: number): Promise<{ rows: Row[]; cursor: number }>;
  /** Seals a text under a key of this end: AES-256-GCM under a key derived from it for this page. */
  seal(seckeyid: number, text: string): Uint8Array;
  /** Opens what seal made, as long as the key is held. Throws HufuError "no-key" or "sealed". */
  open(seckeyid: number, sealed: Uint8Array): string;
  administer(op: object): Promise<object>;
  watch(onEvent: (event: object) => void, since?: number): Promise<number>;
  /** Plays the proxy on the next message of a direction. */
  tamper(direction: "up" | "down", action: "flip" | "replay" | "drop" | "none"): void;
  close(): Promise<void>;
}

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

/** token, network, refused, silent, check, aged, closed, lost, no-key, sealed, argument, internal, or a code of the protocol: error-1 … error-9. */
export type ErrorCode = string;

/** Every failure is a real Error with a code. */
export interface HufuError extends Error {
  readonly code: ErrorCode;
  /** Which check failed, with code "check": frame, cmdType, ids, p, q, authCode, role, seckeyid, share, confirm, doc. */
  readonly check?: string;
}

declare global {
  var hufu: Hufu;
}
