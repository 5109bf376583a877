package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"hufu/shared/settings"
	"hufu/shared/text"
)

// menuCmd is what hufu does without a command: the numbered menu on a
// terminal. 0 exit, 1 negotiate, 2 verify, 3 revoke, 4 view.
type menuCmd struct{}

var errNoTerminal = text.Errorf("err_no_terminal")

// Run is the command.
func (c *menuCmd) Run(e *env) error {
	if !isTerminal(e.stdin) {
		return settings.With(settings.ExitUsage, errNoTerminal)
	}
	return e.menu()
}

// menu asks until it is told to exit. A failure is shown, and the menu goes on.
func (e *env) menu() error {
	in := bufio.NewScanner(e.stdin)
	for {
		fmt.Fprint(e.W, e.T("menu"))
		choice, err := ask(in)
		if err != nil {
			return ended(err)
		}
		if choice == "0" {
			return nil
		}
		err = e.choose(choice, in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			fmt.Fprintf(e.stderr, "hufu: %s\n", describe(e.Lang, err))
		}
		if e.Err() != nil {
			return e.Err()
		}
	}
}

func (e *env) choose(choice string, in *bufio.Scanner) error {
	switch choice {
	case "1":
		return (&negotiateCmd{}).Run(e)
	case "2":
		return (&verifyCmd{}).Run(e)
	case "3":
		return e.menuRevoke(in)
	case "4":
		return (&viewCmd{Limit: 20}).Run(e)
	case "":
		return nil
	}
	return errors.New(e.T("menu_what", choice))
}

// menuRevoke asks for the number; empty means the current key.
func (e *env) menuRevoke(in *bufio.Scanner) error {
	fmt.Fprint(e.W, e.T("ask_revoke"))
	answer, err := ask(in)
	if err != nil {
		return err
	}
	c := revokeCmd{Reason: 1}
	if answer != "" {
		if c.Seckeyid, err = strconv.ParseUint(answer, 10, 64); err != nil {
			return errors.New(e.T("menu_number", answer))
		}
	}
	return c.Run(e)
}

func ask(in *bufio.Scanner) (string, error) {
	if in.Scan() {
		return strings.TrimSpace(in.Text()), nil
	}
	if err := in.Err(); err != nil {
		return "", err
	}
	return "", io.EOF
}

// ended makes the end of the input an orderly one.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
