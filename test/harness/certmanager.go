package harness

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CertManager is cert-manager's controllers at work on a cluster, and the ACME servers that they can order from, as
// test/certmanager runs them. Servers are numbered from 0 (flag --count). There is no node and nothing is proved to
// anybody: see that command for what is not real.
type CertManager struct {
	// Log is cert-manager's own log.
	Log string

	command     *exec.Cmd
	input       io.Closer
	pid         int
	directories []string
	ca          []byte
	logs        []*acmeLog
}

// certManagerReady is the line that the command prints.
var certManagerReady = regexp.MustCompile(`^ready pid=(\d+) acme=(.*) ca=(.*) log=(.*) controllers=(.*)$`)

// ErrNotOurs is returned for a cluster that KUBECONFIG names: it may have a cert-manager, and two would fight.
var ErrNotOurs = errors.New("cert-manager's controllers are run only on a cluster of the tests' own")

// StartCertManager builds and runs cert-manager's controllers and one ACME server, or as many as a flag says, and waits
// until they work. Every issuer and Certificate of the cluster is then theirs: what a test writes into a status by
// hand, they write over. The first build takes minutes; progress goes to the writer. Stop must be called.
func StartCertManager(ctx context.Context, c *Cluster, progress io.Writer, flags ...string) (*CertManager, error) {
	if c.command == nil {
		return nil, ErrNotOurs
	}
	folder := filepath.Join(Root(), "test", "certmanager")
	binary, err := build(ctx, progress, folder, "certmanager", ".", "-v")
	if err != nil {
		return nil, err
	}
	m := &CertManager{}
	if err := m.launch(ctx, binary, folder, progress, append([]string{"--kubeconfig", c.Kubeconfig, "--until-stdin-closes"}, flags...)); err != nil {
		m.Stop()
		return nil, fmt.Errorf("starting cert-manager: %w", err)
	}
	return m, nil
}

// launch runs the command. It ends when its standard input is closed, so it cannot outlive this process.
func (m *CertManager) launch(ctx context.Context, binary, folder string, progress io.Writer, args []string) error {
	m.command = exec.CommandContext(context.WithoutCancel(ctx), binary, args...)
	m.command.Dir, m.command.Stderr = folder, progress
	m.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C of the terminal is this process's matter
	var err error
	if m.input, err = m.command.StdinPipe(); err != nil {
		return err
	}
	out, err := m.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.command.Start(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = m.input.Close() })() // until it is ready, the caller can give up
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		if fields := certManagerReady.FindStringSubmatch(scanner.Text()); fields != nil {
			return m.ready(fields)
		}
	}
	return errors.New("it ended before it was ready, see above")
}

// ready takes the fields of the ready line.
func (m *CertManager) ready(fields []string) error {
	var err error
	if m.pid, err = strconv.Atoi(fields[1]); err != nil {
		return fmt.Errorf("reading the ready line: %w", err)
	}
	if m.ca, err = os.ReadFile(fields[3]); err != nil {
		return fmt.Errorf("reading the ACME servers' CA: %w", err)
	}
	m.directories, m.Log = strings.Split(fields[2], ","), fields[5]
	for path := range strings.SplitSeq(fields[4], ",") {
		log, err := openACMELog(path)
		if err != nil {
			return err
		}
		m.logs = append(m.logs, log)
	}
	return nil
}

// PID is the controllers' process; the ACME servers are its children.
func (m *CertManager) PID() int { return m.pid }

// ACME is the directory URL of server i.
func (m *CertManager) ACME(i int) string { return m.directories[i] }

// CA is what an issuer's caBundle needs, before base64: the servers' CA as PEM.
func (m *CertManager) CA() []byte { return m.ca }

// History is every order that server i has taken, oldest first. It is exact: an order is there before cert-manager has
// the answer.
func (m *CertManager) History(i int) ([]ACMEOrder, error) { return m.logs[i].history() }

// Orders is how many orders server i has taken, or, with names, how many for all of these (and maybe more). It is -1 if
// the server's log cannot be read.
func (m *CertManager) Orders(i int, names ...string) int {
	return m.count(i, names, func(ACMEOrder) bool { return true })
}

// Issued is the same for certificates.
func (m *CertManager) Issued(i int, names ...string) int {
	return m.count(i, names, func(o ACMEOrder) bool { return o.Issued })
}

func (m *CertManager) count(i int, names []string, counts func(ACMEOrder) bool) int {
	orders, err := m.History(i)
	if err != nil {
		return -1
	}
	n := 0
	for _, order := range orders {
		if order.has(names) && counts(order) {
			n++
		}
	}
	return n
}

// ClusterIssuer is the YAML of one with an account of its own at server i. Wait until it is Ready before anything orders
// from it: cert-manager tries a request that comes too early again only after five seconds.
func (m *CertManager) ClusterIssuer(name string, i int) string {
	return fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: %s}
spec:
  acme:
    server: %s
    caBundle: %s
    privateKeySecretRef: {name: %s-account}
    solvers:
    - http01: {ingress: {ingressClassName: none}}
      waitInsteadOfSelfCheck: 1s
`, name, m.directories[i], base64.StdEncoding.EncodeToString(m.ca), name)
}

// Stop ends everything. It may be called twice, and on nil.
func (m *CertManager) Stop() {
	if m == nil || m.command == nil || m.command.Process == nil || m.command.ProcessState != nil {
		return
	}
	_ = m.input.Close()
	defer time.AfterFunc(Patience, func() { _ = m.command.Process.Kill() }).Stop()
	_ = m.command.Wait()
}
