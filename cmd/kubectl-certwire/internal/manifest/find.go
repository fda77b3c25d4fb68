package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the name under which standard input is read.
const Stdin = "-"

// ReadAll reads files, folders with all that is below them, and standard input. In a folder the files count that end in
// .yaml, .yml or .json, but for hidden ones.
func ReadAll(paths []string, stdin io.Reader) ([]Object, []Problem) {
	var objects []Object
	var problems []Problem
	for _, path := range paths {
		files, err := expand(path)
		if err != nil {
			problems = append(problems, Problem{File: path, Text: why(err)})
		}
		for _, file := range files {
			name, text, err := content(file, stdin)
			if err != nil {
				problems = append(problems, Problem{File: file, Text: why(err)})
				continue
			}
			o, p := Read(name, text)
			objects, problems = append(objects, o...), append(problems, p...)
		}
	}
	return objects, problems
}

// why leaves out the path, which a problem says already.
func why(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}

func expand(path string) ([]string, error) {
	if path == Stdin {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file != path && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)):
			files = append(files, file)
		}
		return nil
	})
	return files, err
}

func content(file string, stdin io.Reader) (name string, text []byte, err error) {
	if file == Stdin {
		text, err = bounded(stdin)
		return "stdin", text, err
	}
	f, err := os.Open(file)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = f.Close() }()
	text, err = bounded(f)
	return file, text, err
}

// bounded reads a little more than what is allowed, so that more is noticed.
func bounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return text, nil
}
