package explain

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/test/golden"
)

// A case is a folder under testdata: the first object of in.yaml is explained, the others are what stands around it; a
// ConfigMap reloader-meta-info is Reloader. want.txt is what is written for people. A folder is all it takes to add one.
// UPDATE_GOLDEN=true writes want.txt anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, dir := range golden.Cases(t, "testdata/*", 10) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(dir, "in.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			objects, problems := manifest.Read("in.yaml", text)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			first := objects[0]
			e, err := Explain(Object{first.Kind, first.Namespace, first.Name, first.JSON, true}, factsOf(t, objects[1:]))
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := Write(&got, e, false); err != nil {
				t.Fatal(err)
			}
			golden.Same(t, filepath.Join(dir, "want.txt"), got.String())
		})
	}
}

func factsOf(t *testing.T, objects []manifest.Object) Facts {
	t.Helper()
	c, err := config.Load("")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	settings.Agent.Image = "registry.example/agent"
	f := Facts{Settings: settings, Reloader: mutate.NoReloader()}
	for _, o := range objects {
		var into any
		var certificate cmapi.Certificate
		var pod corev1.Pod
		var other struct {
			Metadata struct{ Labels map[string]string }
			Data     map[string]string
		}
		switch o.Kind {
		case "Certificate":
			into = &certificate
		case "Pod":
			into = &pod
		default:
			into = &other
		}
		if err := json.Unmarshal(o.JSON, into); err != nil {
			t.Fatal(err)
		}
		switch o.Kind {
		case "Certificate":
			f.Certificates = append(f.Certificates, certificate)
		case "Pod":
			f.Pods = append(f.Pods, pod)
		case "Namespace":
			f.Labels = other.Metadata.Labels
		case "ConfigMap":
			if f.Reloader, err = mutate.ParseReloader(other.Data["reloaderOptions"]); err != nil {
				t.Fatal(err)
			}
			f.ReloaderAt = "ConfigMap reloader/reloader-meta-info"
		case "Deployment":
			f.Owner = other.Metadata.Labels[mutate.ReloadLabel]
		}
	}
	return f
}

func TestWhatIsNotSeenIsSaid(t *testing.T) {
	t.Parallel()
	f := factsOf(t, nil)
	f.CertificatesUnseen, f.Unseen = true, []string{"the Certificates of Namespace shop (you may not read it): nobody knows which Secrets are written by one"}
	raw := `{"kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"spec":{"volumes":[{"name":"tls","secret":{"secretName":"web-tls"}}]}}}}`
	e, err := Explain(Object{"Deployment", "shop", "web", []byte(raw), true}, f)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, e, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"whether a Certificate writes it could not be seen", "unknown: that depends on the Certificates", "Not seen\n  - the Certificates of"} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("not there: %s\nin: %s", want, &out)
		}
	}
}

func TestWhatIsNoWorkload(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"Deployment", "Pod"} {
		if _, err := Explain(Object{kind, "shop", "web", []byte(`{"spec":3}`), true}, factsOf(t, nil)); err == nil {
			t.Errorf("%s: no error", kind)
		}
	}
}

func TestParseName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"deployment/web": "Deployment", "deploy/web": "Deployment", "deployments.apps/web": "Deployment", "sts/web": "StatefulSet", "DS/web": "DaemonSet",
		"po/web": "Pod", "web": "", "job/web": "", "pod/": "", "/web": "", "": "",
	} {
		kind, name, err := ParseName(text)
		if kind != want || (err == nil) != (want != "") || (err == nil && name != "web") {
			t.Errorf("%q: %s %s %v", text, kind, name, err)
		}
	}
}
