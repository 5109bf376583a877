package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// go test ./shared/wire ./shared/kex -run 'TestGolden|TestVectors' -update
var update = flag.Bool("update", false, "write testdata anew")

const goldenFile = "testdata/golden.txt"

// TestGolden pins the bytes of everything that this package encodes.
func TestGolden(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Every message and document of docs/protocol.md, one a line: name = hex.\n")
	line := func(name string, data []byte) { fmt.Fprintf(&b, "%s = %x\n", name, data) }
	for _, s := range samples() {
		line(s.name, encoded(t, s.msg))
	}
	line("open refused", OpenFailure())
	for _, d := range documents() {
		line(d.name, d.encode(t))
	}
	for _, d := range adminDocs() {
		line(d.name, d.encode(t))
	}
	token, err := sampleToken().Encode()
	if err != nil {
		t.Fatal(err)
	}
	line("token", []byte(token))

	if *update {
		if err := os.WriteFile(goldenFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	if len(got) != len(lines) {
		t.Errorf("%s has %d lines, not %d", goldenFile, len(lines), len(got))
	}
	for i := range min(len(got), len(lines)) {
		if got[i] != lines[i] {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, got[i], lines[i])
		}
	}
}

func encoded(t *testing.T, m Message) []byte {
	t.Helper()
	b, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refused fails the test unless err is a refusal that leaves nothing behind.
func refused(t *testing.T, m any, err error, what string, args ...any) {
	t.Helper()
	what = fmt.Sprintf(what, args...)
	switch {
	case err == nil:
		t.Errorf("%s: taken", what)
	case !errors.Is(err, ErrFrame):
		t.Errorf("%s: %v is not ErrFrame", what, err)
	case m != nil && !reflect.ValueOf(m).IsNil():
		t.Errorf("%s: refused, yet %v is returned", what, m)
	}
}

func TestEncodeAsByHand(t *testing.T) {
	for _, s := range samples() {
		if got, want := encoded(t, s.msg), s.raw.bytes(); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", s.name, got, want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, s := range append(samples(), largest()...) {
		got, err := s.decode(encoded(t, s.msg))
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
		} else if !reflect.DeepEqual(got, s.msg) {
			t.Errorf("%s: %+v came back as %+v", s.name, s.msg, got)
		}
	}
}

// TestCommands holds the numbers of §3 against the types.
func TestCommands(t *testing.T) {
	for _, s := range samples() {
		v := s.raw[0]
		if v.key != "cmdType" {
			v = s.raw[1]
		}
		if got := s.msg.Cmd(); uint64(got) != uint64(v.v[0]) || got.String() == "unknown" {
			t.Errorf("%s has cmdType %d %s", s.name, got, got)
		}
	}
	if Cmd(8).String() != "unknown" || Role(0).String() != "unknown" || State(6).String() != "unknown" ||
		Reason(9).String() != "unknown" || Code(10).String() != "unknown" {
		t.Error("a number that means nothing has a name")
	}
}

// TestWrongPlace offers every message to the decoders of the other places.
func TestWrongPlace(t *testing.T) {
	decoders := map[string]func([]byte) (Message, error){"hello": decodeHello, "open": decodeOpen,
		"request": decodeRequest, "open reply": decodeOpenReply, "server": decodeServer}
	for _, s := range samples() {
		for name, decode := range decoders {
			m, err := decode(encoded(t, s.msg))
			if (place(s.msg) == name) != (err == nil) {
				t.Errorf("%s as %s: %v %v", s.name, name, m, err)
			}
		}
	}
}

func place(m Message) string {
	switch m.(type) {
	case *Hello:
		return "hello"
	case *Open:
		return "open"
	case *OpenOK:
		return "open reply"
	case Request:
		return "request"
	}
	return "server"
}

func TestOpenFailure(t *testing.T) {
	want, _ := hex.DecodeString("83a776657273696f6e01a7636d645479706500a27276ff")
	if got := OpenFailure(); !bytes.Equal(got, want) || !IsOpenFailure(got) {
		t.Fatalf("%x", got)
	}
	OpenFailure()[0] = 0
	if !IsOpenFailure(want) {
		t.Fatal("a caller changed the bytes for all others")
	}
	if m, err := DecodeOpenReply(want); m != nil || !errors.Is(err, ErrRefused) {
		t.Fatal(m, err)
	}
	m, err := decodeServer(want)
	refused(t, m, err, "an open failure later on")
	for i := range want {
		other := bytes.Clone(want)
		other[i] ^= 1
		m, err := DecodeOpenReply(other)
		refused(t, m, err, "an open failure with byte %d changed", i)
	}
}

// TestFrameLimits shows that every message fits the limits of §8.
func TestFrameLimits(t *testing.T) {
	for _, s := range largest() {
		limit := MaxServerFrame
		switch s.msg.(type) {
		case *Hello, *Open, *OpenOK:
			limit = MaxFirstFrame
		case Request:
			limit = MaxRequest
		}
		if n := len(encoded(t, s.msg)); n > limit {
			t.Errorf("%s may have %d bytes, more than %d", s.name, n, limit)
		}
	}
}

// TestEncodeRefuses shows that no message leaves with a value it may not have.
func TestEncodeRefuses(t *testing.T) {
	head := RequestHead{Q: 1, ClientID: "c", ServerID: "s"}
	reply := ReplyHead{P: 1, Q: 1, ClientID: "c", ServerID: "s"}
	for name, m := range map[string]Message{
		"an empty serverId":         &Hello{},
		"a long serverId":           &Hello{ServerID: "123456789012"},
		"epoch 0":                   &Open{RequestHead: RequestHead{ClientID: "c", ServerID: "s"}},
		"q 0":                       &Ping{RequestHead: RequestHead{ClientID: "c", ServerID: "s"}},
		"q 2^32":                    &Ping{RequestHead: RequestHead{Q: 1 << 32, ClientID: "c", ServerID: "s"}},
		"seckeyid 0":                &Revoke{RequestHead: head},
		"seckeyid 2^53":             &Revoke{RequestHead: head, Seckeyid: 1 << 53},
		"state 0":                   &Receipt{RequestHead: head, Seckeyid: 1},
		"limit 0":                   &View{RequestHead: head},
		"a long doc":                &Administer{RequestHead: head, Doc: make([]byte, MaxDocRequest+1)},
		"a long doc in a reply":     &AdministerOK{ReplyHead: reply, Doc: make([]byte, MaxDocReply+1)},
		"p 2^32":                    &Done{ReplyHead: ReplyHead{P: 1 << 32, Q: 1, ClientID: "c", ServerID: "s"}, To: CmdPing},
		"a refusal without a code":  &Done{ReplyHead: ReplyHead{P: 1, Q: 1, Refused: true, ClientID: "c", ServerID: "s"}, To: CmdPing},
		"a refusal with code 10":    &Done{ReplyHead: ReplyHead{P: 1, Q: 1, Refused: true, Code: 10, ClientID: "c", ServerID: "s"}, To: CmdPing},
		"an ok with a code":         &Done{ReplyHead: ReplyHead{P: 1, Q: 1, Code: 1, ClientID: "c", ServerID: "s"}, To: CmdPing},
		"role 0":                    &OpenOK{ReplyHead: reply, Idle: 75, Grace: 60},
		"verify ok with pending":    &VerifyOK{ReplyHead: reply, State: StatePending},
		"push of an active key":     &Push{NoticeHead: NoticeHead{P: 1, ClientID: "c", ServerID: "s"}, Seckeyid: 1, State: StateActive},
		"push with p 0":             &Push{NoticeHead: NoticeHead{ClientID: "c", ServerID: "s"}, Seckeyid: 1, State: StateRevoked},
		"a lifetime under a minute": &NegotiateOK{ReplyHead: reply, Seckeyid: 1, Lifetime: 59},
	} {
		b, err := Encode(m)
		if !errors.Is(err, ErrFrame) || b != nil {
			t.Errorf("%s: %x %v", name, b, err)
		}
	}
}
