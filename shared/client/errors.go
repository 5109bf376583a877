package client

import (
	"errors"
	"fmt"

	"hufu/shared/wire"
)

var (
	// ErrLost is wrapped by the error of every request whose session ended
	// before its reply: whether the server did it is not known.
	ErrLost = errors.New("client: the connection was lost before the reply")
	// ErrRefused says that the open failed. Anyone on the way can forge it.
	ErrRefused = errors.New("client: the server refused to open, or someone on the way says so")
	// ErrSilent says that hello or a reply did not come in time.
	ErrSilent = errors.New("client: the server did not answer in time")
	// ErrAged ends a session that has lived as long as one may.
	ErrAged = errors.New("client: the connection has reached its age")
	// ErrClosed ends a session on which Close was called.
	ErrClosed = errors.New("client: closed")
	// ErrOverflow ends a session whose pushes and events are not taken.
	ErrOverflow = errors.New("client: too many pushes and events wait to be taken")
	// ErrEnded says that a key ended before it could be entered.
	ErrEnded = errors.New("client: the key ended before it could be used")
	// ErrNoKey says that a Holder has no living key of that number.
	ErrNoKey = errors.New("client: no such key is held")
)

// AddressError says why one of several addresses could not be connected to.
type AddressError struct {
	Address string
	Err     error
}

func (e *AddressError) Error() string { return e.Address + ": " + e.Err.Error() }
func (e *AddressError) Unwrap() error { return e.Err }

// Check names one thing that is checked of every message.
type Check string

const (
	CheckFrame   Check = "frame"    // well-formed, and of a known type
	CheckCmd     Check = "cmdType"  // that of the oldest unanswered request
	CheckIDs     Check = "ids"      // clientId and serverId
	CheckP       Check = "p"        // the next one
	CheckQ       Check = "q"        // that of the oldest unanswered request
	CheckAuth    Check = "authCode" // the server made the message, for this place
	CheckRole    Check = "role"     // the one that was expected
	CheckNumber  Check = "seckeyid" // above every one held
	CheckShare   Check = "share"    // input checks of ML-KEM and X25519
	CheckConfirm Check = "confirm"  // the server holds the same key
	CheckDoc     Check = "doc"      // the document is as it must be
)

// CheckError ends a session: a message failed a check.
type CheckError struct {
	Check Check
	Cmd   wire.Cmd // of the message, or that was awaited
	Err   error    // what exactly; may be nil
}

func (e *CheckError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("client: a message failed the check of %s (%s): %v", e.Check, e.Cmd, e.Err)
	}
	return fmt.Sprintf("client: a message failed the check of %s (%s)", e.Check, e.Cmd)
}

func (e *CheckError) Unwrap() error { return e.Err }

// CloseError is the peer's close of the WebSocket; code 1006 stands for an end
// without one. Anyone on the way can forge it.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("client: the connection was closed with code %d", e.Code)
	}
	return fmt.Sprintf("client: the connection was closed with code %d, %q", e.Code, e.Reason)
}
