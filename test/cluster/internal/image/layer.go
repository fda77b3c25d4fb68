package image

import (
	"archive/tar"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeLayer writes the layer of source and returns the entry point, if it is a
// program.
func writeLayer(w io.Writer, source string) ([]string, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, fmt.Errorf("looking at %s: %w", source, err)
	}
	out := tar.NewWriter(w)
	if info.IsDir() {
		if err := addTree(out, source); err != nil {
			return nil, err
		}
		return nil, out.Close()
	}
	if err := checkStatic(source); err != nil {
		return nil, err
	}
	name := filepath.Base(source)
	if err := out.WriteHeader(header(name, 0o755, info.Size())); err != nil {
		return nil, fmt.Errorf("adding %s: %w", source, err)
	}
	if err := addContent(out, source); err != nil {
		return nil, err
	}
	return []string{"/" + name}, out.Close()
}

// addTree adds what is below root, in the order of names. Everything belongs to
// root and has the time zero. What is neither a file, a folder nor a symbolic link
// is left out; a hard link becomes a file.
func addTree(out *tar.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		h := header(name, int64(info.Mode().Perm()), 0)
		h.Mode |= specialBits(info.Mode())
		switch {
		case info.Mode().IsRegular():
			h.Size = info.Size()
		case info.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, name+"/"
		case info.Mode()&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
			if h.Linkname, err = os.Readlink(path); err != nil {
				return fmt.Errorf("reading %s: %w", path, err)
			}
		default:
			return nil
		}
		if err := out.WriteHeader(h); err != nil {
			return fmt.Errorf("adding %s: %w", path, err)
		}
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		return addContent(out, path)
	})
}

// specialBits are those of mode beyond the nine permissions, as tar counts them.
func specialBits(mode fs.FileMode) int64 {
	var bits int64
	for flag, bit := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&flag != 0 {
			bits |= bit
		}
	}
	return bits
}

func addContent(out *tar.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("adding %s: %w", path, err)
	}
	defer func() { _ = file.Close() }()
	if _, err := io.Copy(out, file); err != nil {
		return fmt.Errorf("adding %s: %w", path, err)
	}
	return nil
}

// checkStatic returns an error unless the program at path runs with no other file:
// one that asks for an interpreter, the dynamic linker, would fail with "no such
// file", which is hard to understand.
func checkStatic(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s is neither a folder, an image's tar archive nor a program: %w", path, err)
	}
	defer func() { _ = file.Close() }()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: build it with CGO_ENABLED=0", path)
		}
	}
	return nil
}
