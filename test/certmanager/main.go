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
)

// The exit codes. Under 'go run', go prints the code and itself exits with 1.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
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
		_, _ = fmt.Fprintf(stderr, "certmanager: %v\nRun it with --help to see its flags.\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the command at once. The kernel then ends its children.
	context.AfterFunc(ctx, stop)

	ctx = stopWithParent(ctx)
	if opts.untilStdinCloses {
		ctx = stopWithStdin(ctx, stdin)
	}
	logger := log.New(stderr, "certmanager: ", 0)
	if err := serve(ctx, opts, stdout, logger); err != nil {
		logger.Print(err)
		return exitFailed
	}
	return exitOK
}
