package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"hufu/server/keyservice"
	"hufu/shared/cli"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// addAll enrols every outlet of a CSV file and writes one token file each: all
// of them or none. The first column is the identifier; others are for people.
func (e *env) addAll(from, dir string) error {
	ids, err := readIDs(from)
	if err != nil {
		return settings.With(settings.ExitUsage, text.Errorf("err_from_file", from, err))
	}
	return e.with(func(in *installation) error {
		for _, id := range ids {
			_, _, err := in.store.Outlet(e, id)
			if err == nil {
				return fmt.Errorf("%s: %w", id, keyservice.ErrExists)
			}
			if !errors.Is(err, keyservice.ErrNoOutlet) {
				return err
			}
		}
		files, err := tokenFiles(dir, ids)
		if err != nil {
			return settings.With(settings.ExitUsage, text.Errorf("err_setting", "--tokens", err))
		}
		if err := e.enrolAll(in, ids, files); err != nil {
			return err
		}
		shown := struct {
			Enrolled int    `json:"enrolled"`
			Tokens   string `json:"tokens"`
		}{len(ids), dir}
		return e.Show(shown, func() string { return e.T("added_all", len(ids), dir) })
	})
}

// readIDs reads the first column. A first line that says id or clientId is a
// heading.
func readIDs(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord, r.Comment, r.TrimLeadingSpace = -1, '#', true
	var ids []string
	seen := make(map[string]int)
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		id := strings.TrimSpace(record[0])
		if line == 1 && (strings.EqualFold(id, "id") || strings.EqualFold(id, "clientId")) {
			continue
		}
		if !wire.ValidID(id) {
			return nil, text.Errorf("err_line_id", line, id, wire.MaxID)
		}
		if seen[id] > 0 {
			return nil, text.Errorf("err_line_twice", line, id, seen[id])
		}
		seen[id] = line
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, text.Errorf("err_no_ids")
	}
	return ids, nil
}

// tokenList is one new file for every token.
type tokenList []*cli.TokenOut

// tokenFiles makes all files before anything is enrolled.
func tokenFiles(dir string, ids []string) (files tokenList, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, id := range ids {
		out, err := cli.NewTokenOut(filepath.Join(dir, id+".token"))
		if err != nil {
			return nil, errors.Join(err, files.discard())
		}
		files = append(files, out)
	}
	return files, nil
}

func (l tokenList) discard() error {
	var errs []error
	for _, out := range l {
		errs = append(errs, out.Discard())
	}
	return errors.Join(errs...)
}

// enrolAll enrols all in one transaction, their tokens written before. The
// files stay when it is not known whether it was committed.
func (e *env) enrolAll(in *installation, ids []string, files tokenList) error {
	bar := e.progress(len(ids))
	defer bar.End()
	err := in.service.EnrolAll(e, ids, wire.RoleOutlet, func(t *wire.Token) error {
		ascii, err := t.Encode()
		if err != nil {
			return err
		}
		bar.Step()
		return files[bar.Done()-1].Write(ascii)
	})
	if err != nil && !errors.Is(err, keyservice.ErrInDoubt) {
		return errors.Join(err, files.discard())
	}
	return err
}
