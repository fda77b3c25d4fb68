package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// recipe is changed whenever what is laid out changes, so that an older folder is not taken for a new one.
const recipe = "1"

// packages are what is brought, each with all that it depends on. A shell is what initdb starts its server with.
func packages() []string {
	return []string{"nginx", "haproxy", "postgresql", "redis-server", "mosquitto", "mariadb-server-core", "dash"}
}

// wanted are the files and folders of the image; what they need in libraries comes along. Some are patterns, since
// PostgreSQL's paths hold its version.
func wanted() []string {
	return []string{
		"usr/bin/dash",
		"usr/sbin/nginx",
		"usr/sbin/haproxy",
		"usr/lib/postgresql/*/bin/postgres",
		"usr/lib/postgresql/*/bin/initdb",
		"usr/lib/postgresql/*/lib/plpgsql.so",
		"usr/lib/postgresql/*/lib/dict_snowball.so",
		"usr/share/postgresql/*",
		"usr/bin/redis-server",
		"usr/sbin/mosquitto",
		"usr/sbin/mariadbd",
		"usr/share/mysql/english",
		"usr/share/mysql/charsets",
		"usr/lib/*/libgcc_s.so.1", // libc loads it when a thread ends
	}
}

// passwd names the user whom pods are to run as: PostgreSQL wants its own to have a name.
const passwd = "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n"

// Folder returns the root file system of the image, a folder below cache that is made when it is not there yet, which
// takes minutes at most. It is named after the versions of the packages, so that a newer package makes another one.
// Several processes may call it at once. It needs apt-get and dpkg-deb, and root when the package lists are not there
// or no longer fit. Progress goes to the writer.
func Folder(ctx context.Context, cache string, progress io.Writer) (string, error) {
	files, err := plan(ctx)
	if err != nil { // most likely there are no lists yet
		if err := update(ctx, progress); err != nil {
			return "", err
		}
		if files, err = plan(ctx); err != nil {
			return "", err
		}
	}
	folder := name(cache, files)
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("making the servers' folder: %w", err)
	}
	scratch, err := os.MkdirTemp(cache, "making-")
	if err != nil {
		return "", fmt.Errorf("making the servers' folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	_, _ = fmt.Fprintf(progress, "bringing %d packages of servers\n", len(files))
	archives := filepath.Join(scratch, "archives")
	if err := download(ctx, archives); err != nil { // a version that is listed may be gone
		if err := update(ctx, progress); err != nil {
			return "", err
		}
		if files, err = plan(ctx); err != nil {
			return "", err
		}
		folder = name(cache, files)
		if err := download(ctx, archives); err != nil {
			return "", err
		}
	}
	root, err := lay(ctx, scratch, archives)
	if err != nil {
		return "", fmt.Errorf("laying out the servers: %w", err)
	}
	if err := os.Rename(root, folder); err != nil {
		if _, other := os.Stat(folder); other == nil { // another process was quicker
			return folder, nil
		}
		return "", fmt.Errorf("making the servers' folder: %w", err)
	}
	return folder, nil
}

// name is the folder's: a digest of what is in it.
func name(cache string, files []string) string {
	sum := sha256.Sum256([]byte(recipe + "\n" + passwd + strings.Join(append(wanted(), files...), "\n")))
	return filepath.Join(cache, hex.EncodeToString(sum[:8]))
}

// lay unpacks the archives and picks out what is wanted.
func lay(ctx context.Context, scratch, archives string) (string, error) {
	found, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return "", err
	}
	all := &tree{root: filepath.Join(scratch, "all")}
	for _, archive := range found {
		if err := all.unpack(ctx, archive); err != nil {
			return "", err
		}
	}
	root := filepath.Join(scratch, "root")
	p := &picker{from: all, to: root, done: map[string]bool{}}
	for _, pattern := range wanted() {
		if err := p.match(pattern); err != nil {
			return "", err
		}
	}
	return root, finish(root)
}

// finish adds what no package has: the places that merged into /usr, the shell's usual name, users and /tmp.
func finish(root string) error {
	for link, target := range map[string]string{"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			return err
		}
	}
	shell := filepath.Join(root, "usr/bin/sh")
	if err := os.Symlink("dash", shell); err != nil && !os.IsExist(err) {
		return err
	}
	for _, dir := range []string{"etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "etc/passwd"), []byte(passwd), 0o644)
}
