package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// DefaultUser is the user and group of an image's process: a number, because the
// kubelet checks runAsNonRoot against nothing else, and not root.
const DefaultUser = "65532:65532"

// Image says what is to be in an image.
type Image struct {
	// Name is the image's with its tag ("certwire.test/pause:test"). With any tag but
	// "latest" the kubelet does not try to pull an image that is there.
	Name string
	// Source is a static program, which becomes the entry point under its own file
	// name in the root folder; or a folder, which becomes the root file system of an
	// image without an entry point.
	Source string
}

// configuration is the part of an image's configuration that is used here.
type configuration struct {
	Architecture string     `json:"architecture"`
	OS           string     `json:"os"`
	Config       execution  `json:"config"`
	RootFS       rootFS     `json:"rootfs"`
	History      []struct{} `json:"history"`
}

type execution struct {
	User       string   `json:"User"`
	Env        []string `json:"Env"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type manifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Write writes the archive of i to w. The same input gives the same bytes. The
// layer is built in a file in scratch, a folder, and removed from there.
func Write(w io.Writer, i Image, scratch string) error {
	layer, err := os.CreateTemp(scratch, "layer-*.tar")
	if err != nil {
		return fmt.Errorf("writing image %s: %w", i.Name, err)
	}
	defer func() {
		_ = layer.Close()
		_ = os.Remove(layer.Name())
	}()
	digest := sha256.New()
	entrypoint, err := writeLayer(io.MultiWriter(layer, digest), i.Source)
	if err != nil {
		return fmt.Errorf("writing image %s: %w", i.Name, err)
	}
	if err := writeArchive(w, i.Name, layer, hex.EncodeToString(digest.Sum(nil)), entrypoint); err != nil {
		return fmt.Errorf("writing image %s: %w", i.Name, err)
	}
	return nil
}

// writeArchive writes configuration, manifest and layer.
func writeArchive(w io.Writer, name string, layer *os.File, digest string, entrypoint []string) error {
	config, err := json.Marshal(configuration{
		Architecture: runtime.GOARCH,
		OS:           "linux",
		Config: execution{
			User:       DefaultUser,
			Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			Entrypoint: entrypoint,
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{"sha256:" + digest}},
		History: []struct{}{{}},
	})
	if err != nil {
		return fmt.Errorf("encoding the configuration: %w", err)
	}
	sum := sha256.Sum256(config)
	configName, layerName := hex.EncodeToString(sum[:])+".json", digest+".tar"
	index, err := json.Marshal([]manifest{{Config: configName, RepoTags: []string{name}, Layers: []string{layerName}}})
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	size, err := layer.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("reading the layer: %w", err)
	}
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading the layer: %w", err)
	}
	out := tar.NewWriter(w)
	for _, file := range []struct {
		name    string
		content []byte
	}{{"manifest.json", index}, {configName, config}} {
		if err := out.WriteHeader(header(file.name, 0o644, int64(len(file.content)))); err != nil {
			return fmt.Errorf("writing %s: %w", file.name, err)
		}
		if _, err := out.Write(file.content); err != nil {
			return fmt.Errorf("writing %s: %w", file.name, err)
		}
	}
	if err := out.WriteHeader(header(layerName, 0o644, size)); err != nil {
		return fmt.Errorf("writing the layer: %w", err)
	}
	if _, err := io.Copy(out, layer); err != nil {
		return fmt.Errorf("writing the layer: %w", err)
	}
	return out.Close()
}

// IsArchive reports whether the file at path is a tar archive: it is then taken
// for an image that somebody else has written.
func IsArchive(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", path, err)
	}
	defer func() { _ = file.Close() }()
	// The mark "ustar" is at byte 257 of a header, in POSIX's format and GNU's.
	const at = 257
	mark := make([]byte, len("ustar"))
	_, err = file.ReadAt(mark, at)
	return err == nil && string(mark) == "ustar", nil
}

// header is that of a plain file.
func header(name string, mode, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(name), Mode: mode, Size: size, Format: tar.FormatPAX}
}
