package wire

import "fmt"

// Code is the field error of a reply (§7).
type Code uint8

const (
	CodeOK           Code = 0
	CodeBadBody      Code = 1
	CodeNoKey        Code = 2
	CodeRevoked      Code = 3
	CodeExpired      Code = 4
	CodeMismatch     Code = 5
	CodeBusy         Code = 6
	CodeInternal     Code = 7
	CodeNotPermitted Code = 8
	CodeNoSealKey    Code = 9
	maxCode               = CodeNoSealKey
)

var codeTexts = map[Code]string{
	CodeOK: "ok", CodeBadBody: "bad body", CodeNoKey: "no such key", CodeRevoked: "the key is revoked",
	CodeExpired: "the key has expired", CodeMismatch: "the two ends hold different keys",
	CodeBusy: "the server is busy or a quota is used up; try later", CodeInternal: "the server failed",
	CodeNotPermitted: "not permitted for this role", CodeNoSealKey: "no key to seal under",
}

func (c Code) String() string { return nameOf(codeTexts, c) }

// Error makes a Code an error: that of a peer's authenticated refusal.
func (c Code) Error() string { return fmt.Sprintf("error %d: %s", uint8(c), c.String()) }

// MAC is a raw HMAC-SHA-256, 32 bytes: an authCode or a confirmation. It is
// never printed or logged. fmt reaches past that where a MAC or a Secret stands
// in an unexported field of a struct that is printed: hold it by pointer there.
type MAC [SizeMAC]byte

func (MAC) String() string               { return redacted }
func (MAC) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (MAC) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Secret is what an outlet or operator and the server share since enrolment,
// 32 uniformly random bytes. It is never printed.
type Secret [32]byte

func (Secret) String() string               { return redacted }
func (Secret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Zero wipes the secret, as far as Go can: copies made before stay.
func (s *Secret) Zero() { clear(s[:]) }

const redacted = "[redacted]"
