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

var readyLine = regexp.MustCompile(`^ready kubeconfig=(.*) bin=(.*) audit=(.*) pid=(\d+)$`)

// Start takes the cluster of the environment variable KUBECONFIG if it is set, and starts one of its own otherwise,
// with the given flags of test/cluster. Progress goes to the writer. Stop must be called.
func Start(ctx context.Context, progress io.Writer, flags ...string) (*Cluster, error) {
	c := &Cluster{kubectl: "kubectl"}
	if c.Kubeconfig = os.Getenv("KUBECONFIG"); c.Kubeconfig == "" {
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
			return nil
		}
	}
	return errors.New("starting the cluster: it ended before it was ready, see above")
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
