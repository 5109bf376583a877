package text

import (
	"errors"
	"strings"
)

// Error is an error whose words stand in the catalog.
type Error struct {
	Key  string
	Args []any // those that are errors are worded too
}

// Errorf makes an error of a text of the catalog. Arguments that are errors
// are wrapped.
func Errorf(key string, args ...any) error { return &Error{key, args} }

// Error is the text in English, for what is read by machines.
func (e *Error) Error() string { return English.T(e.Key, e.Args...) }

// Words is what Lang.Words asks of an error that the catalog words.
func (e *Error) Words() (key string, args []any) { return e.Key, e.Args }

func (e *Error) Unwrap() (wrapped []error) {
	for _, arg := range e.Args {
		if err, is := arg.(error); is {
			wrapped = append(wrapped, err)
		}
	}
	return wrapped
}

// Known is an error of another package, and the key of its words.
type Known struct {
	Err error
	Key string
}

// Words says an error in a language. What stands in it of the catalog's errors
// and of known ones is replaced by their words; the detail around them stays.
func (l Lang) Words(err error, known []Known) string {
	s := l.replace(err, err.Error(), known)
	for _, k := range known {
		if errors.Is(err, k.Err) {
			s = strings.ReplaceAll(s, k.Err.Error(), l.T(k.Key))
		}
	}
	return s
}

// replace puts the words of every error in the tree that has some into s.
func (l Lang) replace(err error, s string, known []Known) string {
	if worded, has := err.(interface{ Words() (string, []any) }); has {
		key, args := worded.Words()
		said := make([]any, len(args))
		for i, arg := range args {
			said[i] = arg
			if inner, is := arg.(error); is {
				said[i] = l.Words(inner, known)
			}
		}
		return strings.Replace(s, err.Error(), l.T(key, said...), 1)
	}
	switch w := err.(type) {
	case interface{ Unwrap() error }:
		if inner := w.Unwrap(); inner != nil {
			return l.replace(inner, s, known)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			s = l.replace(inner, s, known)
		}
	}
	return s
}

// told is an error in words for a person.
type told struct {
	error
	words string
}

func (t *told) Error() string { return t.words }
func (t *told) Unwrap() error { return t.error }

// Tell gives an error the words that a person is told.
func Tell(err error, words string) error { return &told{err, words} }
