package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Namespace is certwire's own, as in the manifests.
const Namespace = "certwire-system"

// Install applies the manifests with kubectl, as a user does, and points the webhook configurations at a URL
// ("https://localhost:1234").
func (c *Cluster) Install(ctx context.Context, url string) (string, error) {
	out, err := c.Kubectl(ctx, "", "apply", "-k", "manifests/")
	if err != nil {
		return out, fmt.Errorf("installing the manifests: %w", err)
	}
	return out, c.PointAt(ctx, url)
}

// PointAt replaces the Service in the webhook configurations by a URL, and changes nothing else.
func (c *Cluster) PointAt(ctx context.Context, url string) error {
	mutating := c.Client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	validating := c.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	m, err := mutating.Get(ctx, "certwire", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the mutating configuration: %w", err)
	}
	v, err := validating.Get(ctx, "certwire", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the validating configuration: %w", err)
	}
	var ops []map[string]any
	point := func(i int, path *string) {
		at := fmt.Sprintf("/webhooks/%d/clientConfig/", i)
		ops = append(ops, map[string]any{"op": "remove", "path": at + "service"},
			map[string]any{"op": "add", "path": at + "url", "value": url + *path})
	}
	patch := func() ([]byte, error) { defer func() { ops = nil }(); return json.Marshal(ops) }

	for i, w := range m.Webhooks {
		if w.ClientConfig.Service != nil {
			point(i, w.ClientConfig.Service.Path)
		}
	}
	if raw, err := patch(); err != nil {
		return err
	} else if _, err := mutating.Patch(ctx, "certwire", types.JSONPatchType, raw, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("pointing the mutating configuration at %s: %w", url, err)
	}
	for i, w := range v.Webhooks {
		if w.ClientConfig.Service != nil {
			point(i, w.ClientConfig.Service.Path)
		}
	}
	if raw, err := patch(); err != nil {
		return err
	} else if _, err := validating.Patch(ctx, "certwire", types.JSONPatchType, raw, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("pointing the validating configuration at %s: %w", url, err)
	}
	return nil
}

// ServiceAccountKubeconfig writes a kubeconfig with a token of certwire's own ServiceAccount: what certwire does in
// tests it does with the permissions of the manifests.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, path string) error {
	hours := int64(24 * 3600)
	token, err := c.Client.CoreV1().ServiceAccounts(Namespace).CreateToken(ctx, "certwire",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hours}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("asking for a token of the ServiceAccount: %w", err)
	}
	admin, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if err := clientcmdapi.MinifyConfig(admin); err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	for name := range admin.AuthInfos {
		admin.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	}
	if err := clientcmd.WriteToFile(*admin, path); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return os.Chmod(path, 0o600)
}
