package servers

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// picker takes files out of a tree, and with each program the libraries that it names.
type picker struct {
	from *tree
	to   string
	done map[string]bool
}

// match takes what fits a pattern, which must be something.
func (p *picker) match(pattern string) error {
	found, err := filepath.Glob(p.from.path(pattern))
	if err == nil && len(found) == 0 {
		err = errors.New("no package has it")
	}
	if err != nil {
		return fmt.Errorf("looking for %s: %w", pattern, err)
	}
	for _, path := range found {
		err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name, err := filepath.Rel(p.from.root, path)
			if err != nil {
				return err
			}
			return p.take(filepath.ToSlash(name))
		})
		if err != nil {
			return fmt.Errorf("taking %s: %w", pattern, err)
		}
	}
	return nil
}

// take takes one file; of a link, what it leads to as well.
func (p *picker) take(name string) error {
	if p.done[name] {
		return nil
	}
	p.done[name] = true
	to := filepath.Join(p.to, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	info, err := os.Lstat(p.from.path(name))
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		if err := os.Link(p.from.path(name), to); err != nil {
			return err
		}
		return p.libraries(name)
	}
	link, err := os.Readlink(p.from.path(name))
	if err != nil {
		return err
	}
	if err := os.Symlink(link, to); err != nil {
		return err
	}
	target, err := p.from.target(name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(p.from.path(target)); err != nil {
		return nil //nolint:nilerr // a link may lead to what another package would bring
	}
	return p.take(target)
}

// libraries takes what a program or library is loaded with: its interpreter, and the libraries that it names.
func (p *picker) libraries(name string) error {
	file, err := elf.Open(p.from.path(name))
	if err != nil {
		return nil // it is no program
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			text := make([]byte, part.Filesz)
			if _, err := part.ReadAt(text, 0); err != nil {
				return err
			}
			if err := p.take(merged(strings.TrimRight(string(text), "\x00"))); err != nil {
				return fmt.Errorf("taking the interpreter of %s: %w", name, err)
			}
		}
	}
	needed, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	for _, library := range needed {
		if err := p.library(library); err != nil {
			return fmt.Errorf("taking %s, which %s needs: %w", library, name, err)
		}
	}
	return nil
}

// library takes a library from one of the folders that the dynamic linker searches.
func (p *picker) library(name string) error {
	for _, pattern := range []string{"usr/lib/*-linux-gnu*/", "usr/lib/", "usr/lib64/"} {
		found, _ := filepath.Glob(p.from.path(pattern + name))
		if len(found) == 0 {
			continue
		}
		rel, err := filepath.Rel(p.from.root, found[0])
		if err != nil {
			return err
		}
		return p.take(filepath.ToSlash(rel))
	}
	return errors.New("no package has it")
}
