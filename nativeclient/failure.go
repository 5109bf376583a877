package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
	"hufu/shm"
)

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
	var doubt *doubtError
	if errors.As(err, &doubt) {
		return lang.T("admin_in_doubt", doubt.id, describe(lang, doubt.error))
	}
	if words := describeAddresses(lang, err); words != "" {
		return words
	}
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
		return lang.T("err_network", lang.Words(innermost(request), known))
	}
	words := lang.Words(err, known)
	if usage := (*settings.UsageError)(nil); errors.As(err, &usage) {
		return lang.T("err_usage", words)
	}
	return words
}

// describeAddresses words the failures at several addresses, each for itself;
// empty: there were not several.
func describeAddresses(lang text.Lang, err error) string {
	var join interface{ Unwrap() []error }
	if !errors.As(err, &join) {
		return ""
	}
	var all []string
	for _, err := range flat(err) {
		var at *client.AddressError
		if !errors.As(err, &at) {
			return ""
		}
		all = append(all, at.Address+": "+describe(lang, at.Err))
	}
	if len(all) < 2 {
		return ""
	}
	return strings.Join(all, "; ")
}

// flat lists what was joined.
func flat(err error) (all []error) {
	switch w := err.(type) {
	case interface{ Unwrap() []error }:
		for _, err := range w.Unwrap() {
			all = append(all, flat(err)...)
		}
		return all
	case *client.AddressError:
		return []error{err}
	case interface{ Unwrap() error }:
		if inner := w.Unwrap(); inner != nil {
			return flat(inner)
		}
	}
	return []error{err}
}

// known are the errors of the packages below that have words in the catalog,
// besides those that describe tells apart.
var known = []text.Known{
	{Err: shm.ErrUnsupported, Key: "shm_unsupported"},
	{Err: shm.ErrName, Key: "shm_name"},
	{Err: shm.ErrClientID, Key: "shm_client_id"},
	{Err: shm.ErrEntry, Key: "shm_entry"},
	{Err: shm.ErrCapacity, Key: "shm_capacity"},
	{Err: shm.ErrNoSegment, Key: "shm_no_segment"},
	{Err: shm.ErrSymlink, Key: "shm_symlink"},
	{Err: shm.ErrNotRegular, Key: "shm_not_regular"},
	{Err: shm.ErrHardLink, Key: "shm_hard_link"},
	{Err: shm.ErrOwner, Key: "shm_owner"},
	{Err: shm.ErrMode, Key: "shm_mode"},
	{Err: shm.ErrAccess, Key: "shm_access"},
	{Err: shm.ErrBadMagic, Key: "shm_magic"},
	{Err: shm.ErrLayout, Key: "shm_layout"},
	{Err: shm.ErrTooSmall, Key: "shm_too_small"},
	{Err: shm.ErrNoSpace, Key: "shm_no_space"},
	{Err: shm.ErrLocked, Key: "shm_locked"},
	{Err: shm.ErrGone, Key: "shm_gone"},
	{Err: shm.ErrClosed, Key: "shm_closed"},
	{Err: shm.ErrNotFound, Key: "shm_not_found"},
	{Err: shm.ErrNoCurrent, Key: "shm_no_current"},
	{Err: shm.ErrNotUsable, Key: "shm_not_usable"},
	{Err: shm.ErrFull, Key: "shm_full"},
	{Err: shm.ErrExists, Key: "shm_exists"},
	{Err: shm.ErrOrder, Key: "shm_order"},
	{Err: shm.ErrState, Key: "shm_state"},
	{Err: client.ErrLost, Key: "net_lost"},
	{Err: client.ErrAged, Key: "net_aged"},
	{Err: client.ErrClosed, Key: "net_closed"},
	{Err: client.ErrOverflow, Key: "net_overflow"},
	{Err: client.ErrEnded, Key: "net_ended"},
	{Err: client.ErrNoKey, Key: "net_no_key"},
	{Err: kex.ErrShare, Key: "kex_share"},
	{Err: kex.ErrConfirm, Key: "kex_confirm"},
	{Err: kex.ErrSealed, Key: "kex_sealed"},
	{Err: wire.ErrToken, Key: "bad_token"},
	{Err: fs.ErrNotExist, Key: "err_absent"},
	{Err: syscall.ENOENT, Key: "err_no_file"},
	{Err: syscall.EACCES, Key: "err_no_access"},
	{Err: syscall.EEXIST, Key: "err_is_there"},
	{Err: syscall.ENOSPC, Key: "err_no_space"},
	{Err: syscall.ECONNREFUSED, Key: "err_refuses"},
	{Err: context.DeadlineExceeded, Key: "err_late"},
	{Err: context.Canceled, Key: "err_stopped"},
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
