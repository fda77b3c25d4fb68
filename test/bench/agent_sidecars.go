package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/certwire/certwire/test/harness"
)

// program is what a sidecar runs.
type program string

const (
	agentProgram program = "certwire agent"
	peerProgram  program = "config-reloader"
)

// peerPackage is the sidecar that most clusters have met: prometheus-operator's, which tells a server by HTTP that files
// changed. Its module is pinned in test/peer.
const (
	peerModule  = "github.com/prometheus-operator/prometheus-operator"
	peerPackage = peerModule + "/cmd/prometheus-config-reloader"
)

// sidecar is one contender.
type sidecar struct {
	program  program
	settings string
	// server is what it runs beside.
	server func(ctx context.Context, dir string) (*server, error)
	// config is the agent's beyond what follows from the server; args are the peer's.
	config map[string]any
	args   []string
	// ready is in the log line that says that it watches, proof in the one that says that the new leaf was seen on the wire.
	ready, proof string
	// rests is measured at rest, too; slow finds changes at intervals of seconds; restarts ends at each renewal.
	rests, slow, restarts bool
	// quiet is a wait before each swap.
	quiet time.Duration
}

func contendingSidecars() []sidecar {
	const watched, proven = `"endpoints are known"`, `"certificate is served"`
	agent := func(settings string, serve func(context.Context, string) (*server, error), config map[string]any) sidecar {
		return sidecar{program: agentProgram, settings: settings, server: serve, config: config, ready: watched, proof: proven}
	}
	http := agent("http", serveHTTP, nil)
	http.rests = true
	polling := agent("http, without inotify (every 10 s)", serveHTTP, map[string]any{"pollOnly": true})
	polling.rests, polling.slow = true, true
	restart := agent("restart", serveFiles, map[string]any{"method": "restart"})
	restart.restarts = true
	peer := func(settings string, args ...string) sidecar {
		return sidecar{
			program: peerProgram, settings: settings, server: serveHTTP, args: args, ready: "started watching", rests: true,
			quiet: 200 * time.Millisecond,
		}
	}
	return []sidecar{
		agent("self", serveWatching, map[string]any{"method": "self"}),
		http,
		agent("socket", serveSocket, nil),
		agent("signal", serveSignal, nil),
		restart,
		agent("http, no debounce (1 ms for 100)", serveHTTP, map[string]any{"debounce": "1ms"}),
		polling,
		peer("http, delay 1 s, looks every 3 m"),
		peer("http, no delay, looks every 10 s", "--delay-interval=0s", "--watch-interval="+agentPoll.String()),
	}
}

// start launches a contender beside a new server, and waits until it watches.
func (s *sidecars) start(ctx context.Context, c sidecar) (*process, *server, error) {
	server, err := c.server(ctx, s.mount.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("starting a server: %w", err)
	}
	p, err := c.launch(ctx, s, server)
	if err == nil {
		_, err = p.says(ctx, c.ready)
	}
	if err != nil {
		p.kill()
		server.stop()
		return nil, nil, fmt.Errorf("starting %s: %w", c.program, err)
	}
	return p, server, nil
}

// launch starts the process alone, with an environment that is as empty as a container's.
func (c sidecar) launch(ctx context.Context, s *sidecars, server *server) (*process, error) {
	if c.program == peerProgram {
		args := append([]string{"--watched-dir=" + s.mount.Dir, "--reload-url=" + server.url}, c.args...)
		return launch(ctx, s.binaries[c.program], args, nil)
	}
	_, port, err := net.SplitHostPort(server.address)
	if err != nil {
		return nil, fmt.Errorf("reading the server's address: %w", err)
	}
	config := map[string]any{
		"certificates": []any{map[string]any{"name": "bench-tls", "root": s.mount.Dir}}, "verify": port, "state": server.state,
	}
	maps.Copy(config, server.config)
	maps.Copy(config, c.config)
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	return launch(ctx, s.binaries[c.program], nil, []string{"CERTWIRE_AGENT=" + string(text)})
}

// sizes builds the two, the agent as a release is built and the peer with the same flags, and weighs them.
func (s *sidecars) sizes(ctx context.Context) error {
	agent, peer := filepath.Join(s.folder, "agent"), filepath.Join(s.folder, "config-reloader")
	s.binaries[agentProgram], s.binaries[peerProgram] = agent, peer
	modules := filepath.Join(harness.Root(), "test", "peer")
	for _, command := range [][]string{
		{"make", "-C", harness.Root(), "build-agent", "BIN=" + s.folder},
		{"go", "-C", modules, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", peer, peerPackage},
	} {
		if _, err := output(ctx, s.progress, command...); err != nil {
			return fmt.Errorf("building: %w", err)
		}
	}
	version, err := output(ctx, s.progress, "go", "-C", modules, "list", "-m", "-f", "{{.Version}}", peerModule)
	if err != nil {
		return fmt.Errorf("asking for the peer's version: %w", err)
	}
	s.say("\n### Size, in MB (1,000,000 bytes); the peer is %s %s, built with the agent's flags\n", peerPackage, strings.TrimSpace(version))
	row := "| %-15s | %9s | %8s | %13s | %s"
	s.say(row, "sidecar", "binary MB", "image MB", "image gzip MB", "")
	s.say("|%s|%s|%s|%s|", dashes(17), dashes(11), dashes(10), dashes(15))
	for _, p := range []program{agentProgram, peerProgram} {
		binary, err := os.Stat(s.binaries[p])
		if err != nil {
			return fmt.Errorf("weighing %s: %w", p, err)
		}
		image, packed, err := imageSize(s.binaries[p])
		if err != nil {
			return fmt.Errorf("weighing %s: %w", p, err)
		}
		verdict := "upstream's image has busybox besides"
		if p == agentProgram {
			verdict = fmt.Sprintf("floor under %d bytes: %s", agentMaxImage, s.floor("the agent's image", float64(image), agentMaxImage, "bytes"))
		}
		s.say(row, p, mega(binary.Size()), mega(image), mega(packed), verdict)
	}
	return nil
}

func mega(n int64) string { return fmt.Sprintf("%.2f", float64(n)/1e6) }
