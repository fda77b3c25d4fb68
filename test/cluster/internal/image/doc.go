// Package image writes container images without a registry and without a container
// tool: an archive as "docker save" makes it, with one layer. Its parts are
// manifest.json, which names the others, the configuration, and the layer.
// https://github.com/moby/docker-image-spec/blob/main/spec.md. Start at [Write].
package image
