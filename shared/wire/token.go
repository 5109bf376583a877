package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Token is what a new outlet or operator is handed once (§9). It carries the
// secret in the clear.
type Token struct {
	URL      string // {base} with http or https, at most 255 ASCII bytes, without a final slash
	ServerID string
	ClientID string
	Role     Role
	Epoch    uint64
	Secret   Secret
}

// Format prints who the token is for, and nothing else of it.
func (t Token) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "token of %s at %s, epoch %d", t.ClientID, t.ServerID, t.Epoch)
}

// ErrToken is wrapped by every refusal of a token. The text never holds a part of it.
var ErrToken = errors.New("this is not a valid token; copy it whole, from hufu1_ to its last character")

const (
	tokenPrefix = "hufu1_"
	tokenLabel  = "hufu1 token"
	maxURL      = 255
	maxToken    = 1024 // characters; the longest possible one has 502
)

var tokenAlphabet = base64.RawURLEncoding.Strict()

// Encode returns the token's ASCII, without a newline: the prefix, then
// base64url without padding of b ‖ the first 4 bytes of SHA256(b).
func (t *Token) Encode() (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	b := t.bytes()
	sum := sha256.Sum256(b)
	return tokenPrefix + tokenAlphabet.EncodeToString(append(b, sum[:4]...)), nil
}

func (t *Token) bytes() []byte {
	return NewE(tokenLabel).Text(t.URL).Text(t.ServerID).Text(t.ClientID).
		Uint(uint64(t.Role)).Uint(t.Epoch).Bytes(t.Secret[:]).Sum()
}

// DecodeToken is the inverse of Encode. White space around the token is
// ignored; another spelling of the same bytes is refused.
func DecodeToken(s string) (*Token, error) {
	s = strings.TrimSpace(s)
	rest, ok := strings.CutPrefix(s, tokenPrefix)
	if !ok || len(s) > maxToken {
		return nil, ErrToken
	}
	raw, err := tokenAlphabet.DecodeString(rest)
	if err != nil || strings.ContainsAny(rest, "\r\n") || len(raw) < 4 {
		return nil, ErrToken
	}
	defer clear(raw)
	b, sum := raw[:len(raw)-4], sha256.Sum256(raw[:len(raw)-4])
	if string(sum[:4]) != string(raw[len(raw)-4:]) {
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrToken)
	}
	return parseToken(b)
}

// parseToken reads E("hufu1 token", url, serverId, clientId, role, epoch, secret).
func parseToken(b []byte) (*Token, error) {
	label, b, ok := cutLP(b)
	if !ok || string(label) != tokenLabel || len(b) < 4 || binary.BigEndian.Uint32(b) != 6 {
		return nil, ErrToken
	}
	b = b[4:]
	var part [6][]byte
	for i := range part {
		if part[i], b, ok = cutLP(b); !ok {
			return nil, ErrToken
		}
	}
	if len(b) != 0 || len(part[3]) != 8 || len(part[4]) != 8 || len(part[5]) != len(Secret{}) {
		return nil, ErrToken
	}
	role := binary.BigEndian.Uint64(part[3])
	if role > uint64(RoleAuditor) {
		return nil, ErrToken
	}
	t := &Token{URL: string(part[0]), ServerID: string(part[1]), ClientID: string(part[2]),
		Role: Role(role), Epoch: binary.BigEndian.Uint64(part[4]), Secret: Secret(part[5])}
	if err := t.check(); err != nil {
		t.Secret.Zero()
		return nil, err
	}
	return t, nil
}

// cutLP takes LP(x) from the front of b.
func cutLP(b []byte) (x, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

func (t *Token) check() error {
	switch {
	case !ValidURL(t.URL):
		return fmt.Errorf("%w: its address is not one", ErrToken)
	case !ValidID(t.ServerID), !ValidID(t.ClientID):
		return fmt.Errorf("%w: its identifiers are not allowed", ErrToken)
	case t.Role < RoleOutlet, t.Role > RoleAuditor:
		return fmt.Errorf("%w: its role is unknown", ErrToken)
	case t.Epoch < 1, t.Epoch > MaxEpoch:
		return fmt.Errorf("%w: its epoch is out of range", ErrToken)
	}
	return nil
}

// ValidURL reports whether s can be a server's base address: http or https,
// printable ASCII without spaces, at most 255 bytes, a host, no query, no
// fragment, no user, no final slash.
func ValidURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "http://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "https://"); !ok {
			return false
		}
	}
	host, _, _ := strings.Cut(rest, "/")
	if len(s) > maxURL || host == "" || host[0] == ':' || strings.HasSuffix(s, "/") || strings.ContainsAny(rest, "?#@\\\"<>`{}|^") {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Dial returns the WebSocket address that belongs to the token's base address.
func (t *Token) Dial() string { return "ws" + strings.TrimPrefix(t.URL, "http") + Path }
