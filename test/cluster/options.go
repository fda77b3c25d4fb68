package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/certwire/certwire/test/cluster/internal/controlplane"
)

const usage = `Runs a Kubernetes control plane on this machine for certwire's tests: etcd,
kube-apiserver and kube-controller-manager on 127.0.0.1, built from Go modules, with
the CRDs of cert-manager and of GatewayClass, Gateway and HTTPRoute. There is no
scheduler and no node: pods stay Pending.

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
  --apiserver-arg ARG            pass ARG to kube-apiserver; may be repeated
  --controller-manager-arg ARG   pass ARG to kube-controller-manager; may be repeated
  --help                         show this

Exit codes: 0 after a stop that was asked for, 1 when something failed, 2 for wrong
flags. ('go run' shows the code and exits with 1 itself.)
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

func appendTo(list *[]string) func(string) error {
	return func(value string) error {
		*list = append(*list, value)
		return nil
	}
}
