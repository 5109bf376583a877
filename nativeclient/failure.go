package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// told is an error in words for a person, in the person's language.
type told struct {
	error
	words string
}

func (t *told) Error() string { return t.words }
func (t *told) Unwrap() error { return t.error }

// exitCode gives every kind of failure its code.
func exitCode(err error) int {
	var code wire.Code
	switch {
	case settings.Code(err) != settings.ExitFailure:
		return settings.Code(err)
	case errors.As(err, &code):
		if code == wire.CodeMismatch {
			return settings.ExitMismatch
		}
		return settings.ExitRefused
	}
	var check *client.CheckError
	if errors.As(err, &check) && check.Check == client.CheckConfirm {
		return settings.ExitMismatch
	}
	return settings.ExitFailure
}

// describe words an error for a person: what happened, then what to do.
func describe(lang text.Lang, err error) string {
	var code wire.Code
	var check *client.CheckError
	var closed *client.CloseError
	var request *url.Error
	if words := explain(lang, err); words != "" {
		return words
	}
	switch {
	case errors.As(err, &code):
		return fmt.Sprintf("%s: %s", lang.T("err_refused"), lang.T(fmt.Sprintf("code_%d", uint8(code))))
	case errors.Is(err, client.ErrRefused):
		return lang.T("err_open_refused")
	case errors.As(err, &check):
		return describeCheck(lang, check)
	case errors.As(err, &closed):
		return describeClose(lang, closed)
	case errors.Is(err, client.ErrSilent), errors.As(err, &request) && request.Timeout():
		return lang.T("err_silent")
	case errors.As(err, &request):
		return lang.T("err_network", innermost(request))
	}
	return err.Error()
}

func describeCheck(lang text.Lang, e *client.CheckError) string {
	switch {
	case e.Check == client.CheckIDs && e.Cmd == wire.CmdHello:
		return lang.T("err_other_server")
	case e.Check == client.CheckRole:
		return lang.T("err_other_role", e.Err)
	case e.Check == client.CheckConfirm:
		return lang.T("err_confirm")
	}
	return lang.T("err_check", string(e.Check), e.Cmd)
}

// closeTexts are the close codes that mean more than that the connection is gone.
var closeTexts = map[int]string{1008: "close_1008", 1012: "close_1012", 1013: "close_1013", 4001: "close_4001"}

func describeClose(lang text.Lang, e *client.CloseError) string {
	if key := closeTexts[e.Code]; key != "" {
		return lang.T(key)
	}
	return lang.T("close_other", e.Code)
}

// innermost leaves out how HTTP tells of a failure of the network.
func innermost(err *url.Error) error {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &op):
		return op
	}
	return err.Err
}
