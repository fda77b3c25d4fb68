package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/certwire/certwire/test/cluster/internal/controlplane"
	"github.com/certwire/certwire/test/cluster/internal/node"
)

const usage = `Runs a Kubernetes control plane on this machine for certwire's tests: etcd,
kube-apiserver and kube-controller-manager on 127.0.0.1, built from Go modules, with
the CRDs of cert-manager and of GatewayClass, Gateway and HTTPRoute. Without --node
there is no scheduler and no node: pods stay Pending.

Usage:
  go -C test/cluster run . [flags]

The first start builds everything, which takes minutes; every later one takes seconds.
When the cluster is ready, standard output gets one line, and nothing else:

  ready kubeconfig=<path> bin=<path> audit=<path or empty> pid=<process id>

'bin' is a folder with kubectl, kube-apiserver and etcd. Everything else is reported on
standard error. The cluster lives until SIGINT or SIGTERM, and then all of it is removed.

Flags (relative paths start at test/cluster, where 'go -C' runs the command):
  --build-only                   build the programs, print their folder, and end
  --cache DIR                    where built programs and the data of runs are kept
                                 (default <repository>/.cache/cluster)
  --kubeconfig FILE              where to write the administrator's kubeconfig
                                 (default: in the folder of the run)
  --audit-log FILE               append audit events to FILE, one JSON object a line,
                                 at level Metadata (default: no audit log)
  --no-crds                      install no CRDs
  --until-stdin-closes           end, too, when standard input is closed, so that the
                                 cluster ends with the test that holds the other end
  --keep                         keep the folder of the run, with all logs, at the end
  --node                         run pods, too: see below
  --image NAME=PATH              with --node, an image for pods, made from a static program
                                 (its entry point), a folder (its root file system) or an
                                 archive of "docker save"; may be repeated
  --apiserver-arg ARG            pass ARG to kube-apiserver; may be repeated
  --controller-manager-arg ARG   pass ARG to kube-controller-manager; may be repeated
  --help                         show this

With --node this machine becomes the cluster's node: kube-scheduler and kubelet are built
and started, and containerd, runc and CNI plugins of Debian's packages, which are installed
if they are missing; no service is started. It needs root. Pods run from the images that
are named here, nothing is pulled, and this machine reaches them by their addresses. The
API server then listens on an address that pods reach. There are no Services' addresses
(no kube-proxy) and no DNS. The node has mounts, a cgroup and a network bridge of its own;
all of it is gone after the end, and after a kill the next start removes it.

Exit codes: 0 after a stop that was asked for, 1 when something failed, 2 for wrong
flags, 3 when this machine or user cannot have a node; standard output then has the line
'no node: <why>'. ('go run' shows the code and exits with 1 itself.)
`

// options are the command's flags.
type options struct {
	buildOnly bool
	// cache is empty for the default, which is in the repository.
	cache string
	// kubeconfig is empty for the default, which is in the run's folder.
	kubeconfig string
	// auditLog is empty for none.
	auditLog              string
	noCRDs                bool
	untilStdinCloses      bool
	keep                  bool
	node                  bool
	images                []node.Image
	apiServerArgs         []string
	controllerManagerArgs []string
}

// parseOptions reads the flags, makes paths absolute and checks what can be
// checked before the minutes of a build. It returns flag.ErrHelp for --help.
func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller reports errors
	flags.BoolVar(&o.buildOnly, "build-only", false, "")
	flags.StringVar(&o.cache, "cache", "", "")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "")
	flags.StringVar(&o.auditLog, "audit-log", "", "")
	flags.BoolVar(&o.noCRDs, "no-crds", false, "")
	flags.BoolVar(&o.untilStdinCloses, "until-stdin-closes", false, "")
	flags.BoolVar(&o.keep, "keep", false, "")
	flags.BoolVar(&o.node, "node", false, "")
	flags.Func("image", "", o.addImage)
	flags.Func("apiserver-arg", "", appendTo(&o.apiServerArgs))
	flags.Func("controller-manager-arg", "", appendTo(&o.controllerManagerArgs))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: there are only flags", flags.Arg(0))
	}
	for _, path := range []*string{&o.cache, &o.kubeconfig, &o.auditLog} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return o, fmt.Errorf("making %s absolute: %w", *path, err)
		}
		*path = absolute
	}
	return o, o.validate()
}

// validate reports every problem at once.
func (o options) validate() error {
	var problems []error
	if len(o.images) > 0 && !o.node {
		problems = append(problems, errors.New("--image needs --node"))
	}
	for name, path := range map[string]string{"--kubeconfig": o.kubeconfig, "--audit-log": o.auditLog} {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			problems = append(problems, fmt.Errorf("%s: %s is a folder, not a file", name, path))
		}
	}
	if len(problems) == 0 && o.kubeconfig != "" {
		if err := controlplane.CheckKubeconfig(o.kubeconfig); err != nil {
			problems = append(problems, fmt.Errorf("--kubeconfig: %w", err))
		}
	}
	return errors.Join(problems...)
}

// addImage reads the value of --image. That the path is there is checked at once: the
// build before its use takes minutes.
func (o *options) addImage(value string) error {
	name, path, ok := strings.Cut(value, "=")
	if !ok || name == "" || path == "" {
		return fmt.Errorf("%q is not NAME=PATH", value)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("making %s absolute: %w", path, err)
	}
	if _, err := os.Stat(absolute); err != nil {
		return fmt.Errorf("looking for the image's content: %w", err)
	}
	o.images = append(o.images, node.Image{Name: name, Path: absolute})
	return nil
}

func appendTo(list *[]string) func(string) error {
	return func(value string) error {
		*list = append(*list, value)
		return nil
	}
}
