package probe

import (
	"errors"
	"fmt"
	"io"
)

// startTLSOID names the StartTLS operation (RFC 4511 section 4.14.1).
const startTLSOID = "1.3.6.1.4.1.1466.20037"

// maxLDAP bounds the server's answer. It holds a result code, a DN, a message, and perhaps referrals.
const maxLDAP = 64 << 10

// startLDAP is RFC 4511 sections 4.12 and 4.14 (and RFC 4513 section 3.1): one extended request with the operation's
// name, and an extended response whose result code is success.
func startLDAP(conn io.ReadWriter) error {
	name := append([]byte{0x80, byte(len(startTLSOID))}, startTLSOID...) // [0] requestName
	operation := append([]byte{0x77, byte(len(name))}, name...)          // [APPLICATION 23] ExtendedRequest
	body := append([]byte{0x02, 0x01, 0x01}, operation...)               // messageID 1
	if _, err := conn.Write(append([]byte{0x30, byte(len(body))}, body...)); err != nil {
		return err
	}
	message, err := readElement(conn)
	if err != nil {
		return err
	}
	code, err := extendedResult(message)
	if err != nil {
		return err
	}
	if code != 0 {
		return declined(fmt.Sprintf("LDAP result %d", code))
	}
	return nil
}

// extendedResult reads the result code off the content of an LDAPMessage that holds an extended response.
func extendedResult(message []byte) (int, error) {
	tag, id, rest, err := element(message)
	if err != nil {
		return 0, err
	}
	if tag != 0x02 || len(id) != 1 || id[0] > 1 { // 0 is the notice of disconnection (section 4.4.1)
		return 0, plain(fmt.Sprintf("% x", message[:min(len(message), 8)]))
	}
	tag, response, _, err := element(rest)
	if err != nil {
		return 0, err
	}
	if tag != 0x78 { // [APPLICATION 24] ExtendedResponse
		return 0, plain(fmt.Sprintf("% x", message[:min(len(message), 8)]))
	}
	tag, code, _, err := element(response)
	if err != nil {
		return 0, err
	}
	if tag != 0x0a || len(code) != 1 { // ENUMERATED; every code of RFC 4511 fits a byte
		return 0, errors.New("the answer has no result code")
	}
	return int(code[0]), nil
}

// readElement reads one BER SEQUENCE of definite length (LDAP allows no other, RFC 4511 section 5.1) and returns its
// content. It reads nothing beyond it.
func readElement(r io.Reader) ([]byte, error) {
	head := make([]byte, 2, 6)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	if head[0] != 0x30 {
		return nil, plain(string(head))
	}
	size := int(head[1])
	if size&0x80 != 0 {
		more := make([]byte, size&0x7f)
		if len(more) == 0 || len(more) > 4 {
			return nil, errors.New("the answer's length is not definite")
		}
		if _, err := io.ReadFull(r, more); err != nil {
			return nil, err
		}
		size = 0
		for _, b := range more {
			size = size<<8 | int(b)
		}
	}
	if size > maxLDAP {
		return nil, errTooMuch
	}
	content := make([]byte, size)
	_, err := io.ReadFull(r, content)
	return content, err
}

// element splits the first BER element off: tag, content, rest. Tags are of one byte, as all of LDAP's are.
func element(b []byte) (tag byte, content, rest []byte, err error) {
	short := errors.New("the answer is cut short")
	if len(b) < 2 {
		return 0, nil, nil, short
	}
	tag, size, at := b[0], int(b[1]), 2
	if size&0x80 != 0 {
		digits := size & 0x7f
		if digits == 0 || digits > 4 || len(b) < 2+digits {
			return 0, nil, nil, short
		}
		size, at = 0, 2+digits
		for _, d := range b[2:at] {
			size = size<<8 | int(d)
		}
	}
	if size > len(b)-at {
		return 0, nil, nil, short
	}
	return tag, b[at : at+size], b[at+size:], nil
}
