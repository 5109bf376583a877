package settings

import "time"

// Since and Until are the ends of a range of time as a person types them: a
// date, 2026-11-24, or a time, 2026-11-24T08:30:00+08:00. A date stands for
// the whole day, in the machine's time zone: Since begins with it, Until ends
// with it.
type (
	Since struct{ time.Time }
	Until struct{ time.Time }
)

// UnmarshalText reads a date or a time.
func (s *Since) UnmarshalText(b []byte) (err error) {
	s.Time, _, err = parseWhen(string(b))
	return err
}

// UnmarshalText reads a date or a time.
func (u *Until) UnmarshalText(b []byte) error {
	t, day, err := parseWhen(string(b))
	if err == nil && day {
		t = t.AddDate(0, 0, 1)
	}
	u.Time = t
	return err
}

func parseWhen(s string) (t time.Time, day bool, err error) {
	if t, err = time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t, true, nil
	}
	if t, err = time.Parse(time.RFC3339, s); err == nil {
		return t, false, nil
	}
	return t, false, &fault{"err_no_time", "%q is neither a date like 2026-11-24 nor a time like 2026-11-24T08:30:00+08:00", []any{s}}
}

// Range checks that a range of time is one.
func Range(from Since, to Until) error {
	if !from.IsZero() && !to.IsZero() && !from.Before(to.Time) {
		return With(ExitUsage, &fault{"err_range", "--from %s is not before --to %s", []any{from.Format(time.RFC3339), to.Format(time.RFC3339)}})
	}
	return nil
}
