package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// versions is what decides what the built programs are.
type versions struct {
	// kubernetes and etcd are module versions, such as v1.37.2.
	kubernetes, etcd string
	// toolchain is Go's version, operating system and architecture.
	toolchain string
	// pins is the content of go.mod and go.sum.
	pins []byte
}

// readVersions reads them from the module's folder and the go command.
func readVersions(ctx context.Context, module string) (versions, error) {
	var v versions
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return v, fmt.Errorf("reading the pinned versions: %w", err)
		}
		v.pins = append(v.pins, content...)
	}
	out, err := goOutput(ctx, module, "list", "-m", "-f", "{{.Version}}", kubernetesModule, etcdModule)
	if err != nil {
		return v, fmt.Errorf("reading the pinned versions: %w", err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != 2 {
		return v, fmt.Errorf("reading the pinned versions: go list printed %q", out)
	}
	v.kubernetes, v.etcd = lines[0], lines[1]

	out, err = goOutput(ctx, module, "env", "-json", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return v, fmt.Errorf("reading the version of Go: %w", err)
	}
	var env struct{ GOVERSION, GOOS, GOARCH string }
	if err := json.Unmarshal(out, &env); err != nil {
		return v, fmt.Errorf("reading the version of Go: %w", err)
	}
	v.toolchain = env.GOVERSION + " " + env.GOOS + "/" + env.GOARCH
	return v, nil
}

// folder names the cache folder of these versions: readable, and different
// whenever anything differs that goes into a program. A program that is in the
// folder of its versions is therefore up to date.
func (v versions) folder() string {
	hash := sha256.New()
	for _, part := range [][]byte{[]byte(v.toolchain), []byte(v.ldflags()), v.pins} {
		// The length keeps two parts from being read as another two.
		_, _ = fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	stamp := hex.EncodeToString(hash.Sum(nil))[:12]
	return fmt.Sprintf("kubernetes-%s_etcd-%s_%s", v.kubernetes, v.etcd, stamp)
}

// ldflags are the linker's arguments. Kubernetes programs get their version
// there: without it kubectl refuses the server's version string, whatever looks
// at the version to know a feature is misled, and user agents say v0.0.0.
func (v versions) ldflags() string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(v.kubernetes, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X", pkg+".gitVersion="+v.kubernetes,
			"-X", pkg+".gitMajor="+major,
			"-X", pkg+".gitMinor="+minor,
			"-X", pkg+".gitTreeState=clean",
		)
	}
	return strings.Join(flags, " ")
}
