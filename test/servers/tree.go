package servers

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// tree is what packages hold, all in one folder. Its paths are relative, and those that merged into /usr are below it.
type tree struct{ root string }

// merged is a path of a package as it is in the tree (https://wiki.debian.org/UsrMerge).
func merged(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			return "usr/" + name
		}
	}
	return name
}

func (t *tree) path(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }

// unpack adds an archive's files.
func (t *tree) unpack(ctx context.Context, archive string) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", archive)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	err = t.read(tar.NewReader(out))
	_, _ = io.Copy(io.Discard, out) // so that it can end
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(archive), err)
	}
	return nil
}

func (t *tree) read(in *tar.Reader) error {
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.add(header, in); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

func (t *tree) add(header *tar.Header, content io.Reader) error {
	to := t.path(merged(header.Name))
	if header.Typeflag == tar.TypeDir {
		return os.MkdirAll(to, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeSymlink:
		_ = os.Remove(to)
		return os.Symlink(header.Linkname, to)
	case tar.TypeLink:
		_ = os.Remove(to)
		return os.Link(t.path(merged(header.Linkname)), to)
	case tar.TypeReg:
		file, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		// Everybody may read and run what the packages let anybody run; no program is to run as another user.
		return errors.Join(err, file.Close(), os.Chmod(to, 0o644|os.FileMode(header.Mode)&0o111))
	}
	return nil // no device is needed
}

// target is where the link at a path leads, as a path of the tree.
func (t *tree) target(name string) (string, error) {
	link, err := os.Readlink(t.path(name))
	if err != nil {
		return "", err
	}
	if path.IsAbs(link) {
		return merged(link), nil
	}
	return merged(path.Join(path.Dir(name), link)), nil
}
