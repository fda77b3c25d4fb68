package probe

import (
	"errors"
	"io"
	"strings"
)

// startSMTP is RFC 3207 section 4, after the greeting and EHLO of RFC 5321 section 3.1. The name in EHLO is an address
// literal (RFC 5321 section 4.1.3), since a prober has no name of its own.
func startSMTP(conn io.ReadWriter) error {
	if code, lines, err := readReply(conn); err != nil {
		return err
	} else if code != "220" { // 554 and 421 are a mail server's too, but they end the talk (RFC 5321 section 4.2.3)
		return declined(code + " " + strings.Join(lines, " "))
	}
	if _, err := io.WriteString(conn, "EHLO [127.0.0.1]\r\n"); err != nil {
		return err
	}
	code, lines, err := readReply(conn)
	if err != nil {
		return err
	}
	offered := false
	for _, l := range lines {
		offered = offered || strings.EqualFold(strings.TrimSpace(l), "STARTTLS")
	}
	if code != "250" || !offered {
		return declined(code + " " + strings.Join(lines, ", "))
	}
	if _, err := io.WriteString(conn, "STARTTLS\r\n"); err != nil {
		return err
	}
	if code, lines, err = readReply(conn); err != nil {
		return err
	}
	if code != "220" {
		return declined(code + " " + strings.Join(lines, " "))
	}
	return nil
}

// readReply reads one SMTP reply: lines that begin with the same three digits, a hyphen after them on all but the last
// (RFC 5321 section 4.2.1). It returns the digits, and the text of each line.
func readReply(r io.Reader) (code string, text []string, err error) {
	for range maxLines {
		line, err := readLine(r)
		if err != nil {
			return "", nil, err
		}
		if len(line) < 3 || strings.Trim(line[:3], "0123456789") != "" || code != "" && line[:3] != code {
			return "", nil, plain(line)
		}
		code = line[:3]
		if len(line) == 3 {
			return code, text, nil
		}
		text = append(text, line[4:])
		switch line[3] {
		case ' ':
			return code, text, nil
		case '-':
		default:
			return "", nil, plain(line)
		}
	}
	return "", nil, errors.New("a reply does not end")
}

// startIMAP is RFC 9051 section 6.2.1 (RFC 2595 section 3.1 in the older IMAP): greeting, tagged command, tagged OK.
// Untagged lines may come in between.
func startIMAP(conn io.ReadWriter) error {
	greeting, err := readLine(conn)
	if err != nil {
		return err
	}
	if !hasWord(greeting, "* OK") {
		return plain(greeting)
	}
	const tag = "c1"
	if _, err := io.WriteString(conn, tag+" STARTTLS\r\n"); err != nil {
		return err
	}
	for range maxLines {
		line, err := readLine(conn)
		switch {
		case err != nil:
			return err
		case hasWord(line, tag+" OK"):
			return nil
		case !strings.HasPrefix(line, "* "):
			return declined(line)
		}
	}
	return errors.New("the answer does not end")
}

// startPOP3 is RFC 2595 section 4.
func startPOP3(conn io.ReadWriter) error {
	greeting, err := readLine(conn)
	if err != nil {
		return err
	}
	if !hasWord(greeting, "+OK") {
		return plain(greeting)
	}
	if _, err := io.WriteString(conn, "STLS\r\n"); err != nil {
		return err
	}
	answer, err := readLine(conn)
	if err != nil {
		return err
	}
	if !hasWord(answer, "+OK") {
		return declined(answer)
	}
	return nil
}

// hasWord reports whether a line begins with a word in any case, and the word ends there.
func hasWord(line, word string) bool {
	if len(line) < len(word) || !strings.EqualFold(line[:len(word)], word) {
		return false
	}
	return len(line) == len(word) || line[len(word)] == ' '
}
