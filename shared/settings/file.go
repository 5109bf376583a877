package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/BurntSushi/toml"
)

// File is the settings file of one run: TOML, one key for every setting, named
// as its flag.
type File struct {
	Path string // empty: there is none
	// err says why it cannot be read. It is told when a command is to run, so
	// that help can be had whatever the file is like.
	err     error
	private error // why it must not hold a secret
	items   map[string]item
	keys    []string // as they follow in the file
}

// item is one key's value, and where it stands.
type item struct {
	value any
	line  int
}

// maxFile is more than any settings file needs.
const maxFile = 1 << 20

// Open reads the settings file: the one that --config or HUFU_CONFIG names,
// else the user's own, else that of the machine. There is one; they are not
// laid over each other.
func Open(name string, args []string) *File {
	f := &File{Path: early(args, configFlag, "HUFU_CONFIG")}
	if f.Path == "" {
		f.Path = first(Places(name))
	}
	if f.Path != "" {
		f.err = f.read()
	}
	return f
}

// Places are where a settings file is looked for if none is named.
func Places(name string) (paths []string) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		dir, _ = os.UserConfigDir() // without a home there is none
	}
	if dir != "" {
		paths = append(paths, filepath.Join(dir, "hufu", name))
	}
	if runtime.GOOS != "windows" {
		paths = append(paths, filepath.Join("/etc/hufu", name))
	}
	return paths
}

func first(paths []string) string {
	for _, path := range paths {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
	return ""
}

func (f *File) read() error {
	file, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return err
	}
	f.private = Private(file)
	return f.parse(string(raw))
}

func (f *File) parse(raw string) error {
	var values map[string]toml.Primitive
	md, err := toml.Decode(raw, &values)
	if err != nil {
		return err
	}
	f.items = make(map[string]item, len(values))
	for _, key := range md.Keys() {
		if _, seen := f.items[key[0]]; seen {
			continue // within a table
		}
		var i item
		if err := md.PrimitiveDecode(values[key[0]], &i.value); err != nil {
			return err
		}
		i.line = line(&md, values[key[0]])
		f.items[key[0]] = i
		f.keys = append(f.keys, key[0])
	}
	return nil
}

// nowhere is a value that takes nothing. Its refusal is how package toml is
// brought to tell in which line a key stands.
type nowhere struct{}

var errNowhere = errors.New("settings: nothing is taken")

func (*nowhere) UnmarshalTOML(any) error { return errNowhere }

// line is where a key stands; that of a table which only dotted keys make is
// the first of theirs.
func line(md *toml.MetaData, p toml.Primitive) (first int) {
	var at toml.ParseError
	errors.As(md.PrimitiveDecode(p, new(nowhere)), &at)
	if at.Position.Line > 0 {
		return at.Position.Line
	}
	var children map[string]toml.Primitive
	if md.PrimitiveDecode(p, &children) != nil {
		return 0
	}
	for _, child := range children {
		if n := line(md, child); first == 0 || n < first {
			first = n
		}
	}
	return first
}

// has tells what the file says of a key.
func (f *File) has(key string) (value any, is bool) {
	i, is := f.items[key]
	return i.value, is
}

// at is the place of a key.
func (f *File) at(key string) string { return fmt.Sprintf("%s:%d", f.Path, f.items[key].line) }
