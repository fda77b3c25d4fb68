package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is a Kubernetes API server to test against.
type Cluster struct {
	// Kubeconfig is the administrator's.
	Kubeconfig string
	// AuditLog is the API server's audit log; empty when the cluster is not ours.
	AuditLog string
	// PID is the process that runs the cluster; zero when the cluster is not ours.
	PID int
	// Rest and Client are the administrator's.
	Rest   *rest.Config
	Client kubernetes.Interface

	kubectl string
	command *exec.Cmd
	input   io.Closer
}

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// ErrNoNode means that there can be no node to run pods on: this user is not root, this machine cannot have one, or the
// cluster is one that was given, whose nodes have none of our images.
var ErrNoNode = errors.New("no node")

// RequireNode is the environment variable that makes a missing node a failure. Without it, tests that need one are skipped.
const RequireNode = "CERTWIRE_REQUIRE_NODE"

// noNode is the line that test/cluster prints when it cannot have a node.
const noNode = "no node: "

var readyLine = regexp.MustCompile(`^ready kubeconfig=(.*) bin=(.*) audit=(.*) pid=(\d+)$`)

// Start takes the cluster of the environment variable KUBECONFIG if it is set, and starts one of its own otherwise,
// with the given flags of test/cluster. Progress goes to the writer. Stop must be called. With the flag --node, pods run;
// where they cannot, the error is ErrNoNode.
func Start(ctx context.Context, progress io.Writer, flags ...string) (*Cluster, error) {
	c := &Cluster{kubectl: "kubectl"}
	if c.Kubeconfig = os.Getenv("KUBECONFIG"); c.Kubeconfig != "" && slices.Contains(flags, "--node") {
		return nil, fmt.Errorf("%w: KUBECONFIG names a cluster that is not ours", ErrNoNode)
	}
	if c.Kubeconfig == "" {
		if err := c.launch(ctx, progress, flags); err != nil {
			c.Stop()
			return nil, err
		}
	}
	var err error
	if c.Rest, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		c.Stop()
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	c.Rest.QPS = -1
	c.Rest.WarningHandler = rest.NoWarnings{} // tests look at kubectl's
	if c.Client, err = kubernetes.NewForConfig(c.Rest); err != nil {
		c.Stop()
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	return c, nil
}

// launch runs test/cluster. It ends when its standard input is closed, so it cannot outlive this process.
func (c *Cluster) launch(ctx context.Context, progress io.Writer, flags []string) error {
	args := append([]string{"-C", filepath.Join(Root(), "test", "cluster"), "run", ".", "--until-stdin-closes"}, flags...)
	c.command = exec.CommandContext(ctx, "go", args...)
	c.command.Stderr = progress
	c.command.Cancel = func() error { return c.input.Close() }
	c.command.WaitDelay = time.Minute
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C of the terminal is this process's matter
	var err error
	if c.input, err = c.command.StdinPipe(); err != nil {
		return fmt.Errorf("starting the cluster: %w", err)
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("starting the cluster: %w", err)
	}
	if err := c.command.Start(); err != nil {
		return fmt.Errorf("starting the cluster: %w", err)
	}
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		if m := readyLine.FindStringSubmatch(scanner.Text()); m != nil {
			c.Kubeconfig, c.kubectl, c.AuditLog = m[1], filepath.Join(m[2], "kubectl"), m[3]
			c.PID, err = strconv.Atoi(m[4])
			return err
		}
		if why, ok := strings.CutPrefix(scanner.Text(), noNode); ok {
			return fmt.Errorf("%w: %s", ErrNoNode, why)
		}
	}
	return errors.New("starting the cluster: it ended before it was ready, see above")
}

// MaySkip reports whether err, of Start, only means that there is no node, and that this is accepted.
func MaySkip(err error) bool {
	return errors.Is(err, ErrNoNode) && os.Getenv(RequireNode) == ""
}

// KubectlPath is the kubectl that fits the cluster.
func (c *Cluster) KubectlPath() string { return c.kubectl }

// Stop ends the cluster if it is ours. It may be called twice.
func (c *Cluster) Stop() {
	if c.command == nil || c.command.Process == nil {
		return
	}
	_ = c.input.Close()
	_ = c.command.Wait()
	c.command = nil
}

// Kubectl runs kubectl and returns what it prints, standard error included. The error holds the same text.
func (c *Cluster) Kubectl(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	cmd.Dir = Root()
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}
