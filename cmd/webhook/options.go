package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// options are matters of the process. What certwire decides is in the configuration file.
type options struct {
	config     string
	kubeconfig string
	namespace  string

	bindAddress    string
	healthAddress  string
	metricsAddress string

	certFile, keyFile string
	service           string
	dnsNames          []string
	readSecrets       bool
	delivery          bool
	deliveryMirrors   bool
	deliveryDeadline  time.Duration
	deliveryRollouts  bool
	publishDelay      time.Duration

	shutdownDelay time.Duration

	logFormat string
	logLevel  int
}

func newCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "certwire's admission webhook and controllers",
		Long: `certwire takes cert-manager's certificates from the Secret onto the wire, and keeps issuance from burning the CA's
limits. This is its server: it answers admission requests on /reload, /pods, /guard and /orders, and the replica that leads
adopts workloads that admission could not see.

What it decides is set in the configuration file (--config), which is reloaded when it changes. The flags below are
for the process alone.`,
		Args:          cobra.NoArgs,
		Version:       versionString(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func (o *options) addFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&o.config, "config", "", "configuration file; without one, defaults hold")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file; without one, the pod's own ServiceAccount")
	f.StringVar(&o.namespace, "namespace", envOr("POD_NAMESPACE", "certwire-system"), "certwire's own namespace: its Secret and its lease are there, and it is never touched by the hooks")
	f.StringVar(&o.bindAddress, "bind-address", ":10250", "where admission requests are served")
	f.StringVar(&o.healthAddress, "health-bind-address", ":8081", "where /healthz and /readyz are served")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "where /metrics is served; 0 for nowhere")
	f.StringVar(&o.certFile, "tls-cert-file", "", "serving certificate to bring along (PEM); with it, caBundle is yours to keep")
	f.StringVar(&o.keyFile, "tls-private-key-file", "", "its private key (PEM)")
	f.StringVar(&o.service, "service", "certwire-webhook", "name of the Service in front of the hooks; the self-managed certificate is for it")
	f.StringSliceVar(&o.dnsNames, "tls-dns-names", nil, "further DNS names for the self-managed certificate")
	f.BoolVar(&o.readSecrets, "read-secrets", false, "read a Certificate's Secret to know exactly whether applying it would order; needs the component read-secrets")
	f.BoolVar(&o.delivery, "delivery", false, "take each renewal to the pods that use its Secret, and look at what they serve; needs the component delivery")
	f.BoolVar(&o.deliveryMirrors, "delivery-mirrors", false, "find copies of certificates' Secrets, and look at the pods that use them; needs --delivery, and the component mirrors, which lets certwire read every Secret")
	f.DurationVar(&o.deliveryDeadline, "delivery-deadline", 2*time.Minute, "how long a replica may take to serve a new certificate until it counts as stale")
	f.BoolVar(&o.deliveryRollouts, "delivery-rollouts", false, "roll out workloads that go on serving an old certificate, once for each renewal, where certwire.dev/escalate says rollout; needs the component rollouts")
	f.DurationVar(&o.publishDelay, "ca-publish-delay", 10*time.Second, "how long a new CA is in caBundle before a certificate from it is served")
	f.DurationVar(&o.shutdownDelay, "shutdown-delay", 10*time.Second, "how long serving goes on after SIGTERM, with readiness already failing")
	f.StringVar(&o.logFormat, "log-format", "json", `"json" or "text"`)
	f.IntVarP(&o.logLevel, "log-level", "v", 0, "0 is for operators, 1 adds every decision, 2 traces")
}

// validate reports every problem at once.
func (o *options) validate() error {
	var problems []error
	if (o.certFile == "") != (o.keyFile == "") {
		problems = append(problems, errors.New("--tls-cert-file and --tls-private-key-file go together"))
	}
	if o.logFormat != "json" && o.logFormat != "text" {
		problems = append(problems, fmt.Errorf(`--log-format must be "json" or "text", got %q`, o.logFormat))
	}
	if _, _, err := o.listen(); err != nil {
		problems = append(problems, fmt.Errorf("--bind-address must be host:port, got %q", o.bindAddress))
	}
	if o.shutdownDelay < 0 || o.publishDelay < 0 {
		problems = append(problems, errors.New("--shutdown-delay and --ca-publish-delay must not be negative"))
	}
	if o.deliveryDeadline <= 0 {
		problems = append(problems, errors.New("--delivery-deadline must be positive"))
	}
	if o.deliveryMirrors && !o.delivery {
		problems = append(problems, errors.New("--delivery-mirrors needs --delivery"))
	}
	if o.deliveryRollouts && !o.delivery {
		problems = append(problems, errors.New("--delivery-rollouts needs --delivery"))
	}
	if o.namespace == "" || o.service == "" {
		problems = append(problems, errors.New("--namespace and --service must not be empty"))
	}
	return errors.Join(problems...)
}

func (o *options) listen() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(o.bindAddress)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

func (o *options) servingNames() []string {
	name := o.service + "." + o.namespace + ".svc"
	return append([]string{name, name + ".cluster.local"}, o.dnsNames...)
}

// logger writes to standard error. logr's V(n) is slog's level -n.
func (o *options) logger() logr.Logger {
	handler := &slog.HandlerOptions{Level: slog.Level(-o.logLevel)}
	if o.logFormat == "text" {
		return logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, handler))
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, handler))
}

func envOr(key, fallback string) string {
	if v := strings.TrimSpace(os.Getenv(key)); v != "" {
		return v
	}
	return fallback
}
