package main

import (
	"errors"
	"strconv"
	"time"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/shared/settings"
	"hufu/shared/text"
)

// kekNewCmd adds a key to the ring, which opens and does not seal yet.
type kekNewCmd struct{}

// Run is the command.
func (c *kekNewCmd) Run(e *env) error {
	return e.with(func(in *installation) error {
		number, err := in.ring.Add(time.Now())
		if err != nil {
			return err
		}
		return e.Show(kekView{Number: number}, func() string { return e.T("kek_added", number) })
	})
}

// kekView is a key of the ring as --json shows it.
type kekView struct {
	Number   uint32 `json:"number"`
	Status   string `json:"status,omitempty"`
	Sealed   *int   `json:"sealed,omitempty"`
	Resealed *int   `json:"resealed,omitempty"`
}

// kekRotateCmd makes the newest key the one that seals, and seals everything
// anew under it, outlet by outlet, while servers run.
type kekRotateCmd struct{}

// reloadWithin is how soon a running server seals under a new primary key.
const reloadWithin = 2 * ringEvery

// Run is the command.
func (c *kekRotateCmd) Run(e *env) error {
	return e.with(func(in *installation) error {
		number, err := in.ring.Promote()
		if err != nil {
			return err
		}
		n := 0
		// Until a server has taken the ring's file again it seals under the older
		// key: what it sealed meanwhile is found by the second pass.
		for _, wait := range []time.Duration{0, reloadWithin} {
			if err := pause(e, wait); err != nil {
				return err
			}
			more, err := c.pass(e, in)
			n += more
			if err != nil {
				return text.Errorf("err_resealed", n, err)
			}
		}
		if err := c.finish(e, in); err != nil {
			return err
		}
		return e.Show(kekView{Number: number, Resealed: &n}, func() string { return e.T("kek_rotated", number, n) })
	})
}

// pass seals anew what stands under an older key.
func (c *kekRotateCmd) pass(e *env, in *installation) (n int, err error) {
	total, err := in.count(e)
	if err != nil {
		return 0, err
	}
	bar := e.progress(total)
	defer bar.End()
	err = in.service.EachOutlet(e, func(o *keyservice.Outlet) error {
		bar.Step()
		more, err := in.service.Reseal(e, o.ID)
		n += more
		return err
	})
	return n, err
}

// finish seals the known value under the new key, and marks the older ones.
func (c *kekRotateCmd) finish(e *env, in *installation) error {
	check, err := in.ring.SealCheck()
	if err != nil {
		return err
	}
	if err := in.store.SetRingCheck(e, check); err != nil {
		return err
	}
	return in.ring.Retire()
}

func (in *installation) count(e *env) (n int, err error) {
	err = in.service.EachOutlet(e, func(*keyservice.Outlet) error {
		n++
		return nil
	})
	return n, err
}

func pause(e *env, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-e.Done():
		return e.Err()
	}
}

// kekCheckCmd opens everything that is sealed and tells under which key it stands.
type kekCheckCmd struct{}

// Run is the command.
func (c *kekCheckCmd) Run(e *env) error {
	return e.with(func(in *installation) error {
		total, err := in.count(e)
		if err != nil {
			return err
		}
		sealed := make(map[uint32]int)
		var damaged []error
		bar := e.progress(total)
		err = in.service.EachOutlet(e, func(o *keyservice.Outlet) error {
			bar.Step()
			err := in.service.CheckSealed(e, o.ID, func(b []byte) {
				if number, err := seal.KeyNumber(b); err == nil {
					sealed[number]++
				}
			})
			if errors.Is(err, seal.ErrDamaged) || errors.Is(err, seal.ErrNoKey) {
				damaged = append(damaged, err)
				return nil
			}
			return err
		})
		bar.End()
		if err != nil {
			return err
		}
		rows := e.Rows("col_ring_key", "col_status", "col_created", "col_sealed")
		for _, k := range in.ring.Keys() {
			n := sealed[k.Number]
			rows.Add(kekView{Number: k.Number, Status: string(k.Status), Sealed: &n},
				strconv.Itoa(int(k.Number)), e.T("kek_"+string(k.Status)), text.Time(k.Created), strconv.Itoa(n))
		}
		return errors.Join(rows.Write(), settings.With(settings.ExitFailure, errors.Join(damaged...)))
	})
}
