package main

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/server/store/schema"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// known are the errors of the packages below that have words in the catalog.
var known = []text.Known{
	{Err: keyservice.ErrNoOutlet, Key: "err_no_outlet"},
	{Err: keyservice.ErrExists, Key: "err_exists"},
	{Err: keyservice.ErrNotInstalled, Key: "store_empty"},
	{Err: keyservice.ErrInDoubt, Key: "store_in_doubt"},
	{Err: keyservice.ErrBusy, Key: "store_busy"},
	{Err: schema.ErrOld, Key: "store_old"},
	{Err: schema.ErrNew, Key: "store_new"},
	{Err: seal.ErrFile, Key: "ring_file"},
	{Err: seal.ErrWrongRing, Key: "ring_wrong"},
	{Err: seal.ErrNoKey, Key: "ring_no_key"},
	{Err: seal.ErrDamaged, Key: "ring_damaged"},
	{Err: wire.CodeBadBody, Key: "refused_body"},
	{Err: wire.CodeNoKey, Key: "err_no_key"},
	{Err: wire.CodeRevoked, Key: "refused_revoked"},
	{Err: wire.CodeExpired, Key: "err_key_expired"},
	{Err: wire.CodeBusy, Key: "busy_server"},
	{Err: wire.CodeNotPermitted, Key: "refused_role"},
	{Err: fs.ErrNotExist, Key: "err_absent"},
	{Err: syscall.ENOENT, Key: "err_no_file"},
	{Err: syscall.EACCES, Key: "err_no_access"},
	{Err: syscall.EEXIST, Key: "err_is_there"},
	{Err: syscall.ENOSPC, Key: "err_no_space"},
	{Err: syscall.EADDRINUSE, Key: "err_port_used"},
	{Err: syscall.ECONNREFUSED, Key: "err_refuses"},
	{Err: context.DeadlineExceeded, Key: "err_late"},
	{Err: context.Canceled, Key: "err_stopped"},
}

// describe words an error for a person.
func describe(lang text.Lang, err error) string {
	words := lang.Words(err, known)
	if usage := (*settings.UsageError)(nil); errors.As(err, &usage) {
		return lang.T("err_usage", words)
	}
	return words
}
