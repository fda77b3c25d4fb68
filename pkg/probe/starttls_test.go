package probe_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/pki"
)

// talk plays a server's lines: what it says first, then what it says to each line whose beginning it waits for.
func talk(greeting string, exchanges ...[2]string) func(net.Conn) error {
	return func(conn net.Conn) error {
		if _, err := io.WriteString(conn, greeting); err != nil {
			return err
		}
		for _, e := range exchanges {
			line, err := oneLine(conn)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(line, e[0]) {
				return fmt.Errorf("the client said %q", line)
			}
			if _, err := io.WriteString(conn, e[1]); err != nil {
				return err
			}
		}
		return nil
	}
}

// oneLine reads byte by byte: the handshake comes right after.
func oneLine(r io.Reader) (string, error) {
	line, one := "", make([]byte, 1)
	for !strings.HasSuffix(line, "\n") {
		if _, err := io.ReadFull(r, one); err != nil {
			return line, err
		}
		line += string(one)
	}
	return line, nil
}

// binary plays one exchange of fixed length.
func binary(first []byte, reads int, answer []byte) func(net.Conn) error {
	return func(conn net.Conn) error {
		if _, err := conn.Write(first); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, make([]byte, reads)); err != nil {
			return err
		}
		_, err := conn.Write(answer)
		return err
	}
}

// mysqlGreeting is a HandshakeV10 packet with capability flags.
func mysqlGreeting(flags uint16) []byte {
	body := append([]byte{10}, "8.4.0-test\x00"...)
	body = append(body, 1, 0, 0, 0, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 0, byte(flags), byte(flags>>8), 33, 2, 0)
	body = append(body, make([]byte, 30)...)
	return append([]byte{byte(len(body)), 0, 0, 0}, body...)
}

func ldapAnswer(code byte) []byte {
	return []byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, code, 0x04, 0x00, 0x04, 0x00}
}

func TestStartTLS(t *testing.T) {
	t.Parallel()
	leaf := pki.NewAuthority(t).Leaf(t, []string{"example.com"})
	ehlo := [2]string{"EHLO ", "250-mail.example.com\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n"}
	for sentence, c := range map[string]struct {
		protocol probe.Protocol
		preamble func(net.Conn) error
		state    probe.State
		cause    probe.Cause
	}{
		"smtp": {probe.SMTP, talk("220-mail.example.com\r\n220 hello\r\n", ehlo, [2]string{"STARTTLS\r\n", "220 go\r\n"}), probe.Served, ""},
		"smtp that does not offer it": {probe.SMTP, talk("220 hello\r\n", [2]string{"EHLO ", "250 mail.example.com\r\n"}),
			probe.NotTLS, probe.CauseDeclined},
		"smtp that refuses it":      {probe.SMTP, talk("220 hello\r\n", ehlo, [2]string{"STARTTLS", "454 not now\r\n"}), probe.NotTLS, probe.CauseDeclined},
		"smtp that is too busy":     {probe.SMTP, talk("421 too busy\r\n"), probe.NotTLS, probe.CauseDeclined},
		"imap where smtp should be": {probe.SMTP, talk("* OK hello\r\n"), probe.NotTLS, probe.CausePlain},
		"imap": {probe.IMAP, talk("* OK [CAPABILITY IMAP4rev2 STARTTLS] hello\r\n",
			[2]string{"c1 STARTTLS\r\n", "* NOTICE before\r\nc1 OK begin\r\n"}), probe.Served, ""},
		"imap that refuses it":           {probe.IMAP, talk("* OK hello\r\n", [2]string{"c1", "c1 BAD no\r\n"}), probe.NotTLS, probe.CauseDeclined},
		"imap that says goodbye":         {probe.IMAP, talk("* BYE\r\n"), probe.NotTLS, probe.CausePlain},
		"pop3":                           {probe.POP3, talk("+OK hello <1@x>\r\n", [2]string{"STLS\r\n", "+OK begin\r\n"}), probe.Served, ""},
		"pop3 that refuses it":           {probe.POP3, talk("+OK\r\n", [2]string{"STLS", "-ERR no\r\n"}), probe.NotTLS, probe.CauseDeclined},
		"a word that only begins alike":  {probe.POP3, talk("+OKAY\r\n"), probe.NotTLS, probe.CausePlain},
		"ldap":                           {probe.LDAP, binary(nil, 31, ldapAnswer(0)), probe.Served, ""},
		"ldap that refuses it":           {probe.LDAP, binary(nil, 31, ldapAnswer(2)), probe.NotTLS, probe.CauseDeclined},
		"http where ldap should be":      {probe.LDAP, binary(nil, 31, []byte("HTTP/1.1 400")), probe.NotTLS, probe.CausePlain},
		"postgres":                       {probe.Postgres, binary(nil, 8, []byte("S")), probe.Served, ""},
		"postgres without a certificate": {probe.Postgres, binary(nil, 8, []byte("N")), probe.NotTLS, probe.CauseDeclined},
		"postgres with too many clients": {probe.Postgres, binary(nil, 8, []byte("E")), probe.NotTLS, probe.CauseDeclined},
		"http where postgres should be":  {probe.Postgres, binary(nil, 8, []byte("HTTP")), probe.NotTLS, probe.CausePlain},
		"mysql":                          {probe.MySQL, binary(mysqlGreeting(0xffff), 36, nil), probe.Served, ""},
		"mysql without a certificate":    {probe.MySQL, binary(mysqlGreeting(0xf7ff), 0, nil), probe.NotTLS, probe.CauseDeclined},
		"mysql that has blocked us": {probe.MySQL, binary([]byte("\x0b\x00\x00\x00\xff\x69\x04blocked!"), 0, nil),
			probe.Unreachable, probe.CauseProtocol},
		"ssh where mysql should be": {probe.MySQL, talk("SSH-2.0-OpenSSH_9\r\n"), probe.NotTLS, probe.CausePlain},
		"a server that hangs up in the middle": {probe.SMTP, func(net.Conn) error { return errors.New("enough") },
			probe.Unreachable, probe.CauseClosed},
		"a line without an end":        {probe.POP3, talk(strings.Repeat("x", 10000)), probe.Unreachable, probe.CauseProtocol},
		"a protocol that is not known": {"gopher", talk(""), probe.Unreachable, probe.CauseProtocol},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			server := pki.NewServer(t, leaf, pki.Preamble(c.preamble))
			r := probe.Dial(t.Context(), probe.Target{Address: server.Addr, StartTLS: c.protocol})
			// A server that hangs up with our bytes unread resets the connection.
			if r.Cause == probe.CauseReset && c.cause == probe.CauseClosed {
				r.Cause = probe.CauseClosed
			}
			if r.State != c.state || r.Cause != c.cause {
				t.Errorf("got %s because of %s (%v), want %s because of %s", r.State, r.Cause, r.Err, c.state, c.cause)
			}
		})
	}
}

// FuzzStartTLS feeds bytes from a server to every protocol's reader: it ends, it reads no more than its bounds, and
// it does not panic.
func FuzzStartTLS(f *testing.F) {
	for _, seed := range []string{
		"220 x\r\n250 STARTTLS\r\n220 go\r\n", "220-a\r\n221 b\r\n", "* OK\r\nc1 OK\r\n", "+OK\r\n+OK\r\n", "S", "N", "",
		string(ldapAnswer(0)), "0\x84\x00\x00\x00\x0c" + string(ldapAnswer(0)[2:]), "0\x80", "0\x84\xff\xff\xff\xff",
		string(mysqlGreeting(0xffff)), "\x02\x00\x00\x00\xff\xff", "\x01\x00\x00\x00\x0a",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, protocol := range probe.Protocols() {
			in := &counter{r: bufio.NewReader(strings.NewReader(string(data)))}
			err := probe.StartTLS(protocol, in)
			if in.n > 2<<20 {
				t.Errorf("%s read %d bytes", protocol, in.n)
			}
			if err == nil && in.n == 0 {
				t.Errorf("%s began without an answer", protocol)
			}
		}
	})
}

// counter counts what is read, and takes what is written.
type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += n
	return n, err
}

func (*counter) Write(b []byte) (int, error) { return len(b), nil }
