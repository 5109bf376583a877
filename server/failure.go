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
	"hufu/shm"
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
