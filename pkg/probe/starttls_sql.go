package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// startPostgres sends an SSLRequest (length 8, code 80877103) and reads one byte, S for yes and N for no: PostgreSQL
// documentation, "Message Flow", section "SSL Session Encryption". A server that knows neither, or is shedding load,
// answers with an error message, which begins with E.
func startPostgres(conn io.ReadWriter) error {
	if _, err := conn.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	switch answer[0] {
	case 'S':
		return nil
	case 'N', 'E':
		return declined(string(answer))
	default:
		return plain(string(answer))
	}
}

// Capability flags of the MySQL protocol (MySQL source, include/mysql_com.h).
const (
	clientProtocol41       = 0x00000200
	clientSSL              = 0x00000800
	clientSecureConnection = 0x00008000
)

// maxGreeting bounds MySQL's first packet: a version string and some 60 bytes more.
const maxGreeting = 4096

// startMySQL is the connection phase of the MySQL client/server protocol, which MariaDB shares: the server greets with
// a HandshakeV10 packet; if that offers SSL, the client answers with an SSLRequest, and TLS begins. MySQL source code
// documentation, "Connection Phase" (page_protocol_connection_phase).
func startMySQL(conn io.ReadWriter) error {
	head := make([]byte, 4) // 3 bytes of length, lowest first, and a sequence number
	if _, err := io.ReadFull(conn, head); err != nil {
		return err
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if size > maxGreeting || head[3] != 0 {
		return plain(string(head))
	}
	greeting := make([]byte, size)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return err
	}
	capabilities, err := mysqlCapabilities(greeting)
	if err != nil {
		return err
	}
	if capabilities&clientSSL == 0 {
		return declined("a greeting without the SSL capability")
	}
	const length = 32
	request := make([]byte, 4+length) // the flags, the largest packet, a character set, and 23 zero bytes
	request[0], request[3] = length, head[3]+1
	binary.LittleEndian.PutUint32(request[4:], clientProtocol41|clientSSL|clientSecureConnection)
	binary.LittleEndian.PutUint32(request[8:], 1<<24)
	request[12] = 33 // utf8mb3_general_ci
	_, err = conn.Write(request)
	return err
}

// mysqlCapabilities reads the lower half of the capability flags off a HandshakeV10 packet: version 10, a version
// string that a zero byte ends, a thread id of 4 bytes, 8 bytes of salt, a filler, then the flags.
func mysqlCapabilities(greeting []byte) (uint16, error) {
	if len(greeting) > 3 && greeting[0] == 0xff { // ERR packet: too many connections, host blocked
		return 0, fmt.Errorf("the server refuses connections with error %d", binary.LittleEndian.Uint16(greeting[1:]))
	}
	if len(greeting) == 0 || greeting[0] != 10 {
		return 0, plain(string(greeting[:min(len(greeting), 8)]))
	}
	_, rest, found := bytes.Cut(greeting[1:], []byte{0})
	if !found || len(rest) < 15 {
		return 0, errors.New("the greeting is cut short")
	}
	return binary.LittleEndian.Uint16(rest[13:]), nil
}
