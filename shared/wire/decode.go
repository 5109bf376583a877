package wire

// DecodeHello decodes the first frame to a client.
func DecodeHello(frame []byte) (*Hello, error) {
	m := &Hello{}
	return whole(m, decodeAs(frame, CmdHello, m))
}

// DecodeOpen decodes the first frame to the server.
func DecodeOpen(frame []byte) (*Open, error) {
	m := &Open{}
	return whole(m, decodeAs(frame, CmdOpen, m))
}

// DecodeRequest decodes a later frame to the server: any request but open.
func DecodeRequest(frame []byte) (Request, error) {
	f, err := Parse(frame)
	if err != nil {
		return nil, err
	}
	m := newRequest(f.Cmd)
	if m == nil {
		return nil, malformed("cmdType is not that of a request")
	}
	return whole(m, f.decode(m.fields()))
}

func newRequest(c Cmd) Request {
	switch c {
	case CmdNegotiate:
		return &Negotiate{}
	case CmdVerify:
		return &Verify{}
	case CmdRevoke:
		return &Revoke{}
	case CmdView:
		return &View{}
	case CmdPing:
		return &Ping{}
	case CmdAdminister:
		return &Administer{}
	case CmdReceipt:
		return &Receipt{}
	}
	return nil
}

// DecodeOpenReply decodes the frame that answers an open. ErrRefused says that
// it was the failure that anyone can forge.
func DecodeOpenReply(frame []byte) (*OpenOK, error) {
	if IsOpenFailure(frame) {
		return nil, ErrRefused
	}
	m := &OpenOK{}
	return whole(m, decodeAs(frame, CmdOpen, m))
}

// DecodeServer decodes a later frame to the client: a Reply or a Notice.
func DecodeServer(frame []byte) (Message, error) {
	f, err := Parse(frame)
	if err != nil {
		return nil, err
	}
	var m Message
	switch f.Cmd {
	case CmdPush:
		m = &Push{}
	case CmdEvent:
		m = &Event{}
	default:
		r, err := f.newReply()
		if err != nil {
			return nil, err
		}
		m = r
	}
	return whole(m, f.decode(m.fields()))
}

// whole returns m, or nothing of it if it was refused half way.
func whole[M any](m M, err error) (M, error) {
	if err != nil {
		var nothing M
		return nothing, err
	}
	return m, nil
}

// newReply chooses the reply's form by cmdType and rv.
func (f *Frame) newReply() (Reply, error) {
	if newRequest(f.Cmd) == nil {
		return nil, malformed("cmdType is not that of a reply")
	}
	if i := f.index("rv", f.n); i >= 0 && f.entries[i].kind == kindNegative {
		return &Done{To: f.Cmd, ReplyHead: ReplyHead{Refused: true}}, nil
	}
	switch f.Cmd {
	case CmdNegotiate:
		return &NegotiateOK{}, nil
	case CmdVerify:
		return &VerifyOK{}, nil
	case CmdView:
		return &ViewOK{}, nil
	case CmdAdminister:
		return &AdministerOK{}, nil
	}
	return &Done{To: f.Cmd}, nil
}

func decodeAs(frame []byte, c Cmd, m Message) error {
	f, err := Parse(frame)
	if err != nil {
		return err
	}
	if f.Cmd != c {
		return malformed("cmdType is not %d", c)
	}
	return f.decode(m.fields())
}
