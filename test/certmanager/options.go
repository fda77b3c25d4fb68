package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

const usage = `Runs cert-manager's controllers and ACME servers (Pebble) for certwire's tests, against
a cluster that has cert-manager's CRDs and no cert-manager of its own.

Usage:
  go -C test/certmanager run . --kubeconfig FILE [flags]

The first start builds everything, which takes minutes; every later one takes seconds.
When all of it is ready, standard output gets one line, and nothing else:

  ready pid=<process id> acme=<URL>,... ca=<path> log=<path>,... controllers=<path>

'acme' are the ACME directories, 'log' is for each of them the file that says who ordered
what and when, 'ca' is what an issuer's caBundle needs to trust them (PEM), and
'controllers' is cert-manager's log. Everything else is reported on standard error. It
lives until SIGINT or SIGTERM; what it has put into the cluster stays there.

Flags (relative paths start at test/certmanager, where 'go -C' runs the command):
  --kubeconfig FILE        an administrator's kubeconfig; the controllers get an account
                           of their own, ServiceAccount cert-manager/cert-manager
  --count K                how many ACME servers to run, each an authority of its own
                           (default 1)
  --validity DURATION      how long certificates are valid (default 2160h, 90 days)
  --retry-after SECONDS    what the servers answer to those who ask too early (default 1)
  --cache DIR              where the built ACME server is kept
                           (default <repository>/.cache/certmanager)
  --until-stdin-closes     end, too, when standard input is closed, so that all of it
                           ends with the test that holds the other end
  --keep                   keep the folder of the run, with all logs, at the end
  --build-only             build the ACME server and end
  --help                   show this

Exit codes: 0 after a stop that was asked for, 1 when something failed, 2 for wrong
flags. ('go run' shows the code and exits with 1 itself.)
`

// options are the command's flags.
type options struct {
	kubeconfig string
	count      int
	validity   time.Duration
	retryAfter int
	// cache is empty for the default, which is in the repository.
	cache            string
	untilStdinCloses bool
	keep             bool
	buildOnly        bool
}

// parseOptions reads the flags, makes paths absolute and checks what can be checked
// before anything is built. It returns flag.ErrHelp for --help.
func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("certmanager", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller reports errors
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "")
	flags.IntVar(&o.count, "count", 1, "")
	flags.DurationVar(&o.validity, "validity", 90*24*time.Hour, "")
	flags.IntVar(&o.retryAfter, "retry-after", 1, "")
	flags.StringVar(&o.cache, "cache", "", "")
	flags.BoolVar(&o.untilStdinCloses, "until-stdin-closes", false, "")
	flags.BoolVar(&o.keep, "keep", false, "")
	flags.BoolVar(&o.buildOnly, "build-only", false, "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: there are only flags", flags.Arg(0))
	}
	for _, path := range []*string{&o.kubeconfig, &o.cache} {
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
	if o.kubeconfig == "" && !o.buildOnly {
		problems = append(problems, errors.New("--kubeconfig is needed: which cluster?"))
	}
	if o.count < 1 {
		problems = append(problems, fmt.Errorf("--count is %d, want 1 or more", o.count))
	}
	if o.validity < time.Hour {
		// What cert-manager takes as the least, too (pkg/apis/certmanager/v1, MinimumCertificateDuration).
		problems = append(problems, fmt.Errorf("--validity is %s, want 1h or more", o.validity))
	}
	if o.retryAfter < 1 {
		problems = append(problems, fmt.Errorf("--retry-after is %d, want 1 or more seconds", o.retryAfter))
	}
	return errors.Join(problems...)
}
