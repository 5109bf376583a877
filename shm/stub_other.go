//go:build !linux || !(amd64 || arm64)

package shm

import "time"

var start = time.Now()

// Now returns the time since the process began: there are no segments here to hold ends against it.
func Now() BootTime { return BootTime(time.Since(start)) }

// Create returns ErrUnsupported.
func Create(Options) error { return ErrUnsupported }

// Destroy returns ErrUnsupported.
func Destroy(Options) error { return ErrUnsupported }

// Writer cannot be had here.
type Writer struct{}

// OpenWriter returns ErrUnsupported.
func OpenWriter(Options) (*Writer, error) { return nil, ErrUnsupported }

func (*Writer) Put(Entry, *[ConfirmSize]byte) error    { return ErrUnsupported }
func (*Writer) MakeCurrent(string, uint64) error       { return ErrUnsupported }
func (*Writer) Retire(string, uint64, BootTime) error  { return ErrUnsupported }
func (*Writer) Shorten(string, uint64, BootTime) error { return ErrUnsupported }
func (*Writer) Wipe(string, uint64, State) error       { return ErrUnsupported }
func (*Writer) WipeEnded() (int, error)                { return 0, ErrUnsupported }
func (*Writer) WipeAll() error                         { return ErrUnsupported }
func (*Writer) Confirm(string, uint64) ([ConfirmSize]byte, error) {
	return [ConfirmSize]byte{}, ErrUnsupported
}
func (*Writer) Batch(func(Batch) error) error     { return ErrUnsupported }
func (*Writer) Abandon() error                    { return nil }
func (*Writer) Clients() []string                 { return nil }
func (*Writer) Entries(string) []Entry            { return nil }
func (*Writer) Key(string, uint64) (Entry, error) { return Entry{}, ErrUnsupported }
func (*Writer) Current(string) (Entry, error)     { return Entry{}, ErrUnsupported }
func (*Writer) Info() Info                        { return Info{} }
func (*Writer) Warnings() []string                { return nil }
func (*Writer) Close() error                      { return nil }

// Batch cannot be had here.
type Batch struct{}

func (Batch) Put(Entry) error                        { return ErrUnsupported }
func (Batch) MakeCurrent(string, uint64) error       { return ErrUnsupported }
func (Batch) Retire(string, uint64, BootTime) error  { return ErrUnsupported }
func (Batch) Shorten(string, uint64, BootTime) error { return ErrUnsupported }
func (Batch) Wipe(string, uint64, State) error       { return ErrUnsupported }
func (Batch) Forget(string, uint64) error            { return ErrUnsupported }
func (Batch) Entries(string) []Entry                 { return nil }

// Reader cannot be had here.
type Reader struct{}

// OpenReader returns ErrUnsupported.
func OpenReader(Options) (*Reader, error) { return nil, ErrUnsupported }

func (*Reader) Current(string) (Entry, error)     { return Entry{}, ErrUnsupported }
func (*Reader) Key(string, uint64) (Entry, error) { return Entry{}, ErrUnsupported }
func (*Reader) Entries(string) []Entry            { return nil }
func (*Reader) Info() Info                        { return Info{} }
func (*Reader) Warnings() []string                { return nil }
func (*Reader) Close() error                      { return nil }
