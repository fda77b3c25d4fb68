package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/certwire/certwire/test/cluster/internal/binaries"
	"github.com/certwire/certwire/test/cluster/internal/image"
	"github.com/certwire/certwire/test/cluster/internal/process"
)

// importImages gives containerd the pause image and those of the configuration,
// and returns when the kubelet's side of containerd knows them.
func (n *Node) importImages(ctx context.Context, containerd *process.Process) error {
	scratch := filepath.Join(n.dir, "images")
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return fmt.Errorf("creating a folder for images: %w", err)
	}
	pause := filepath.Join(scratch, "pause")
	if err := binaries.BuildOwn(ctx, n.config.Module, "./pause", pause); err != nil {
		return err
	}
	for _, i := range append([]Image{{Name: pauseImage, Path: pause}}, n.config.Images...) {
		if err := importImage(ctx, containerd, i, scratch); err != nil {
			return fmt.Errorf("importing image %s: %w", i.Name, err)
		}
	}
	return os.RemoveAll(scratch)
}

func importImage(ctx context.Context, containerd *process.Process, i Image, scratch string) error {
	archive, err := archiveOf(i, scratch)
	if err != nil {
		return err
	}
	if _, err := ctr(ctx, containerd, "images", "import", archive); err != nil {
		return err
	}
	return await(ctx, containerd, func(ctx context.Context) error {
		list, err := ctr(ctx, containerd, "images", "list", "name=="+i.Name)
		if err != nil {
			return err
		}
		// The label says that containerd's CRI plugin has seen it.
		if !strings.Contains(list, "io.cri-containerd.image=managed") {
			return errors.New("containerd has no image of this name")
		}
		return nil
	})
}

// archiveOf returns the path of i as an archive, which may be in scratch.
func archiveOf(i Image, scratch string) (path string, err error) {
	if given, err := image.IsArchive(i.Path); err != nil || given {
		return i.Path, err
	}
	file, err := os.CreateTemp(scratch, "image-*.tar")
	if err != nil {
		return "", fmt.Errorf("creating a file for the image: %w", err)
	}
	err = image.Write(file, image.Image{Name: i.Name, Source: i.Path}, scratch)
	return file.Name(), errors.Join(err, file.Close())
}
