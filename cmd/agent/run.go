package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"

	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// Where the agent is told what to do. The configuration is JSON, see [reload.Config].
const (
	// configVariable holds the configuration itself.
	configVariable = spec.ConfigVariable
	// fileVariable names a file with it, where it is too long for a variable.
	fileVariable   = "CERTWIRE_AGENT_FILE"
	listenVariable = spec.ListenVariable
)

// memoryLimit is what the garbage collector keeps the heap under, in bytes, unless GOMEMLIMIT says otherwise. The agent
// is bounded to 10 MiB resident, of which the binary's own pages are the larger part.
const memoryLimit = 6 << 20

// run is the command without its process: it ends with the context, or when the containers are to be restarted, and
// returns the exit code.
func run(ctx context.Context, env func(string) string, stderr io.Writer) int {
	log := slog.New(slog.NewJSONHandler(stderr, nil)).With("component", "certwire-agent")
	if env("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if env("GOGC") == "" {
		debug.SetGCPercent(25) // there is little garbage, and room is dearer than time
	}
	engine, err := configure(env, log)
	if err != nil {
		log.Error("agent cannot do its work, and waits for its end", "cause", err.Error())
		return idle(ctx)
	}
	if address := env(listenVariable); address != "" {
		if err := serve(ctx, address, engine); err != nil {
			log.Error("health and metrics are not served", "cause", err.Error())
		}
	}
	if engine.Run(ctx) {
		return reload.RestartExitCode
	}
	log.Info("agent ends")
	return 0
}

// idle waits without doing anything: the pod is not to suffer from a configuration that is wrong.
func idle(ctx context.Context) int {
	<-ctx.Done()
	return 0
}

func configure(env func(string) string, log *slog.Logger) (*reload.Engine, error) {
	text := []byte(env(configVariable))
	if file := env(fileVariable); len(text) == 0 && file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		defer f.Close() //nolint:errcheck // nothing was written
		const most = 1 << 20
		if text, err = io.ReadAll(io.LimitReader(f, most)); err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
	}
	if len(text) == 0 {
		return nil, fmt.Errorf("neither %s nor %s is set", configVariable, fileVariable)
	}
	config, err := reload.ParseConfig(text)
	if err != nil {
		return nil, err
	}
	if shown, err := json.Marshal(config); err == nil {
		log.Info("configuration", "version", version, "config", json.RawMessage(shown))
	}
	return reload.New(config, reload.Options{Logger: log})
}

// checkListen wants a port, and an address or none.
func checkListen(address string) error {
	host := address
	if len(host) > 0 && host[0] == ':' {
		host = "0.0.0.0" + host
	}
	if _, err := netip.ParseAddrPort(host); err != nil {
		return errors.New(listenVariable + " is not as in :9402 or 127.0.0.1:9402")
	}
	return nil
}
