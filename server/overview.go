package main

import (
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// overviewCmd tells how the network is.
type overviewCmd struct{}

// overviewView is the overview as --json shows it.
type overviewView struct {
	Now     time.Time   `json:"now"`
	Outlets countsView  `json:"outlets"`
	Keys    livingView  `json:"keys"`
	Hours   []hourView  `json:"hours"` // 24, oldest first; the last one runs
	Last    []eventView `json:"last"`  // newest first
}

type countsView struct {
	All       int `json:"all"`
	Disabled  int `json:"disabled"`
	Connected int `json:"connected"`
	Fresh     int `json:"fresh"`
	Soon      int `json:"soon"`
	Stale     int `json:"stale"`
	None      int `json:"none"`
}

type livingView struct {
	Pending int `json:"pending"`
	Active  int `json:"active"`
	Retired int `json:"retired"`
}

type hourView struct {
	At         time.Time `json:"at"`
	Negotiated uint64    `json:"negotiated"`
	Verified   uint64    `json:"verified"`
	Mismatch   uint64    `json:"mismatch"`
	Refused    uint64    `json:"refused"`
	Revoked    uint64    `json:"revoked"`
	Expired    uint64    `json:"expired"`
}

func viewHour(h wire.Hour) hourView {
	return hourView{time.UnixMilli(int64(h.At)).UTC(), h.Negotiated, h.Verified, h.Mismatch, h.Refused, h.Revoked, h.Expired}
}

// Run is the command.
func (c *overviewCmd) Run(e *env) error {
	return e.with(func(in *installation) error {
		o, err := in.service.Overview(e)
		if err != nil {
			return err
		}
		if e.JSON {
			return e.Show(viewOverview(&o), nil)
		}
		return e.sayOverview(&o)
	})
}

func viewOverview(o *keyservice.Overview) overviewView {
	n := &o.Counts
	v := overviewView{Now: o.Now, Outlets: countsView{n.All, n.Disabled, n.Connected, n.Fresh, n.Soon, n.Stale, n.None},
		Keys: livingView{n.Pending, n.Active, n.Retired}, Last: []eventView{}}
	for _, h := range o.Hours {
		v.Hours = append(v.Hours, viewHour(h))
	}
	for i := range o.Last {
		v.Last = append(v.Last, viewEvent(&o.Last[i]))
	}
	return v
}

// sayOverview tells it to a person: counts, the day, what happened last.
func (e *env) sayOverview(o *keyservice.Overview) error {
	n, day := &o.Counts, o.Day()
	e.Say("overview_outlets", n.All, n.Disabled, n.Connected)
	e.Say("overview_freshness", n.Fresh, n.Soon, n.Stale, n.None)
	e.Say("overview_keys", n.Active, n.Retired, n.Pending)
	e.Say("overview_day", day.Negotiated, day.Verified, day.Mismatch, day.Refused, day.Revoked, day.Expired)
	rows := e.eventRows()
	for i := range o.Last {
		e.addEvent(rows, &o.Last[i])
	}
	return rows.Write()
}
