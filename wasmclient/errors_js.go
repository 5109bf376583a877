package main

import (
	"errors"
	"fmt"
	"syscall/js"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// argumentError says that the page called a function wrongly.
type argumentError struct{ what string }

func (e *argumentError) Error() string { return "wasmclient: " + e.what }

var (
	errSealed     = errors.New("wasmclient: this was not sealed under that key, or was changed since")
	errNotCurrent = fmt.Errorf("%w as the current one, which alone seals", client.ErrNoKey)
	errNoDial     = errors.New("wasmclient: there was no connection in time")
)

// connectError is why there is no connection; by itself it says no more than
// that the network failed.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// codeOf is the code of a failure, as hufu.d.ts lists them. The order counts:
// why a connection ended tells more than that it did.
func codeOf(err error) string {
	var check *client.CheckError
	var refusal wire.Code
	var argument *argumentError
	var closed *client.CloseError
	var connecting connectError
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case errors.As(err, &check):
		return "check"
	case errors.As(err, &refusal):
		return fmt.Sprintf("error-%d", uint8(refusal))
	case errors.As(err, &argument):
		return "argument"
	case is(wire.ErrToken):
		return "token"
	case is(errSealed):
		return "sealed"
	case is(client.ErrNoKey), is(client.ErrEnded):
		return "no-key"
	case is(client.ErrRefused):
		return "refused"
	case is(client.ErrSilent):
		return "silent"
	case is(client.ErrAged):
		return "aged"
	case is(client.ErrClosed):
		return "closed"
	case errors.As(err, &closed), is(client.ErrLost):
		return "lost"
	case errors.As(err, &connecting):
		return "network"
	}
	return "internal"
}

// describe sets on an object what the page may learn of a failure.
func describe(object js.Value, err error) {
	object.Set("code", codeOf(err))
	var check *client.CheckError
	var closed *client.CloseError
	if errors.As(err, &check) {
		object.Set("check", string(check.Check))
	}
	if errors.As(err, &closed) {
		object.Set("closeCode", closed.Code)
	}
}

// newError makes a real Error.
func newError(err error) js.Value {
	object := js.Global().Get("Error").New(err.Error())
	object.Set("name", "HufuError")
	describe(object, err)
	return object
}
