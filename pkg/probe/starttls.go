package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Protocol is a protocol that starts in plain text and then turns to TLS.
type Protocol string

// The protocols whose first steps are known. The empty one is TLS from the first byte.
const (
	SMTP     Protocol = "smtp"
	IMAP     Protocol = "imap"
	POP3     Protocol = "pop3"
	LDAP     Protocol = "ldap"
	Postgres Protocol = "postgres"
	MySQL    Protocol = "mysql"
)

// steps are what each protocol does before its handshake: they read and write until the server's next byte belongs to
// TLS, and read not one byte of that.
var steps = map[Protocol]func(io.ReadWriter) error{
	SMTP: startSMTP, IMAP: startIMAP, POP3: startPOP3, LDAP: startLDAP, Postgres: startPostgres, MySQL: startMySQL,
}

// Protocols returns the names of the known protocols, sorted.
func Protocols() []Protocol {
	var names []Protocol
	for p := range steps {
		names = append(names, p)
	}
	slices.Sort(names)
	return names
}

func startTLS(p Protocol, conn io.ReadWriter) error {
	if p == "" {
		return nil
	}
	step, known := steps[p]
	if !known {
		return fmt.Errorf("protocol %q is not known", p)
	}
	if err := step(conn); err != nil {
		return fmt.Errorf("starting TLS in %s: %w", p, err)
	}
	return nil
}

// Bounds of the line protocols. RFC 5321 section 4.5.3.1.5 allows replies of 512 bytes a line, RFC 9051 asks servers
// to keep a line under 8192.
const (
	maxLine  = 8192
	maxLines = 128
)

// readLine reads one line without its end, byte by byte: what comes after it may be TLS already, which a buffer would
// swallow.
func readLine(r io.Reader) (string, error) {
	var line bytes.Buffer
	one := make([]byte, 1)
	for line.Len() < maxLine {
		if _, err := io.ReadFull(r, one); err != nil {
			return "", err
		}
		if one[0] == '\n' {
			return strings.TrimSuffix(line.String(), "\r"), nil
		}
		line.WriteByte(one[0])
	}
	return "", errors.New("a line does not end")
}

// plain is the error for an answer that another protocol, or none, would give. It shows little of it: what a server
// sends is not to fill the log.
func plain(answer string) error {
	if len(answer) > 40 {
		answer = answer[:40]
	}
	return fmt.Errorf("%w: it answered %q", errPlain, answer)
}

func declined(answer string) error {
	if len(answer) > 80 {
		answer = answer[:80]
	}
	return fmt.Errorf("%w: it answered %q", errDeclined, answer)
}
