package controlplane

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/certwire/certwire/test/cluster/internal/pki"
)

// kubeconfigMark is the first line of every kubeconfig written here.
const kubeconfigMark = "# Written by certwire's test cluster, and replaced or removed by it without asking.\n"

const kubeconfigFormat = kubeconfigMark + `apiVersion: v1
kind: Config
current-context: certwire-test
contexts:
- name: certwire-test
  context: {cluster: certwire-test, user: certwire-test}
clusters:
- name: certwire-test
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: certwire-test
  user:
    client-certificate-data: %s
    client-key-data: %s
`

// CheckKubeconfig returns an error if there is a file at path that was not
// written here: it may be somebody's way into another cluster.
func CheckKubeconfig(path string) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at kubeconfig %s: %w", path, err)
	}
	if !strings.HasPrefix(string(content), kubeconfigMark) {
		return fmt.Errorf("%s exists and was not written by this command: name another file", path)
	}
	return nil
}

// RemoveKubeconfig removes the file at path if it was written here.
func RemoveKubeconfig(path string) error {
	if err := CheckKubeconfig(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing kubeconfig: %w", err)
	}
	return nil
}

// writeKubeconfigs writes the administrator's and those of the components.
func (cp *ControlPlane) writeKubeconfigs() error {
	if err := CheckKubeconfig(cp.config.Kubeconfig); err != nil {
		return err
	}
	if err := cp.writeKubeconfig(cp.config.Kubeconfig, cp.creds.admin); err != nil {
		return err
	}
	if err := cp.writeKubeconfig(cp.controllerManagerKubeconfig(), cp.creds.controllerManager); err != nil {
		return err
	}
	return cp.writeNodeKubeconfigs()
}

func (cp *ControlPlane) controllerManagerKubeconfig() string {
	return filepath.Join(cp.config.Dir, "controller-manager.kubeconfig")
}

// writeKubeconfig writes one for the user whose certificate is client. The file
// holds the keys themselves, so that it can be copied elsewhere.
func (cp *ControlPlane) writeKubeconfig(path string, client pki.Pair) error {
	values := []any{cp.api}
	for _, file := range []string{cp.creds.ca.Cert, client.Cert, client.Key} {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading a certificate for kubeconfig %s: %w", path, err)
		}
		values = append(values, base64.StdEncoding.EncodeToString(content))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("creating the folder of kubeconfig %s: %w", path, err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, kubeconfigFormat, values...), 0o600); err != nil {
		return fmt.Errorf("writing kubeconfig: %w", err)
	}
	return nil
}
