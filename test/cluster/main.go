package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/certwire/certwire/test/cluster/internal/node"
)

// The exit codes. Under 'go run', go prints the code and itself exits with 1.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitNoNode = 3
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with its surroundings as parameters. It returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stdout, usage)
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "cluster: %v\nRun it with --help to see its flags.\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals()...)
	defer stop()
	// A second signal ends the command at once. The kernel then ends its children.
	context.AfterFunc(ctx, stop)

	ctx = stopWithParent(ctx)
	if opts.untilStdinCloses {
		ctx = stopWithStdin(ctx, stdin)
	}
	logger := log.New(stderr, "cluster: ", 0)
	if err := serve(ctx, opts, stdout, logger); err != nil {
		logger.Print(err)
		if errors.Is(err, node.ErrUnavailable) {
			_, _ = fmt.Fprintf(stdout, "no node: %v\n", err)
			return exitNoNode
		}
		return exitFailed
	}
	return exitOK
}

// signals are those that end the command. A hang-up does, too, unless the user
// has asked with nohup to ignore it.
func signals() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}
