// Package text is the one catalog of what the programs and the console say to
// people, in English and in Chinese. What is written for machines (logs, JSON,
// errors inside the code) is English alone and not in it.
package text

import (
	"fmt"
	"strings"
)

// Lang is a language of the catalog.
type Lang uint8

const (
	English Lang = iota
	Chinese
)

// message is one text in both languages, each a format of package fmt.
type message struct{ en, zh string }

// Parse reads a language's name: en or zh, also with a territory and a codeset
// as in a locale.
func Parse(s string) (Lang, bool) {
	switch l, _, _ := strings.Cut(strings.ToLower(s), "_"); strings.SplitN(l, "-", 2)[0] {
	case "en", "c", "posix", "c.utf8", "c.utf-8":
		return English, true
	case "zh":
		return Chinese, true
	}
	return English, false
}

// Detect chooses by the locale's variables, in the order in which POSIX asks
// them.
func Detect(getenv func(string) string) Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			l, _ := Parse(v)
			return l
		}
	}
	return English
}

// T is the text with that key, filled in with args.
func (l Lang) T(key string, args ...any) string {
	m, ok := catalog[key]
	if !ok {
		return key
	}
	format := m.en
	if l == Chinese {
		format = m.zh
	}
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}
