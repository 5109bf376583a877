package client

import (
	"context"
	"fmt"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// Operate has an operation done (§12) and decodes its result into r. A result
// that does not fit is a failed check and ends the session.
func Operate(ctx context.Context, s *Session, o wire.Operation, r wire.Result) error {
	_, err := operate(ctx, s, o, r)
	return err
}

// HandOut is Operate for enrol and newsecret, whose token is the caller's to
// wipe. It is nil if nothing was done, for which the result tells the epoch.
func HandOut(ctx context.Context, s *Session, o wire.Operation) (*wire.EnrolledOK, *wire.Token, error) {
	r := &wire.EnrolledOK{}
	answer, err := operate(ctx, s, o, r)
	if err != nil || r.Sealed == nil {
		return r, nil, err
	}
	ascii, err := s.Unseal(answer, r.Seckeyid, r.Sealed)
	if err != nil {
		return nil, nil, err
	}
	defer clear(ascii)
	t, err := wire.DecodeToken(string(ascii))
	if err == nil && (t.ClientID != r.ID || t.ServerID != s.Identity().ServerID || t.Role != r.Role || t.Epoch != r.Epoch) {
		t.Secret.Zero()
		err = fmt.Errorf("%w: the token is another's than the reply says", kex.ErrSealed)
	}
	if err != nil {
		s.Reject(wire.CmdAdminister, err)
		return nil, nil, s.Err()
	}
	return r, t, nil
}

func operate(ctx context.Context, s *Session, o wire.Operation, r wire.Result) (*Answer, error) {
	doc, err := wire.EncodeOperation(o)
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", o.Op(), err)
	}
	answer, err := s.Administer(ctx, doc)
	if err != nil {
		return nil, err
	}
	if err := wire.DecodeResult(answer.Doc, r); err != nil {
		s.Reject(wire.CmdAdminister, err)
		return nil, s.Err()
	}
	return answer, nil
}
