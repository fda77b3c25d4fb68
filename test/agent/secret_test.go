package agent

import (
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/test/pki"
)

// refusedSecrets are contents that no server is to be told of, and the state that each ends in.
var refusedSecrets = map[string]struct {
	files func(r *rig) map[string][]byte
	state string
}{
	"a key that does not match": {func(r *rig) map[string][]byte {
		files := r.leaf().Files()
		files["tls.key"] = r.first.KeyPEM()
		return files
	}, "key-mismatch"},
	"a certificate that is half written": {func(r *rig) map[string][]byte {
		files := r.leaf().Files()
		files["tls.crt"] = files["tls.crt"][:len(files["tls.crt"])/4]
		return files
	}, "invalid"},
	"a certificate that is empty": {func(r *rig) map[string][]byte {
		files := r.leaf().Files()
		files["tls.crt"] = nil
		return files
	}, "invalid"},
	"cert-manager's temporary certificate": {func(r *rig) map[string][]byte {
		return pki.SelfSigned(r.t, []string{host}, pki.CommonName("cert-manager.local")).Files()
	}, "temporary"},
}

func TestASecretThatCannotBeTakenUpIsLeftAlone(t *testing.T) {
	t.Parallel()
	for sentence, c := range refusedSecrets {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := deploy(t, asked("POST :9090/reload"))
			r.settle()
			r.write(c.files(r))
			r.poke()
			r.said("certificate cannot be taken up", "state", c.state)
			r.poke()
			r.stillServes(r.first)
			r.answers("/asked", "0")

			next := r.replace()
			r.served(next)
			r.answers("/asked", "1")
			if n := r.count("certificate cannot be taken up"); n != 1 {
				t.Errorf("it was said %d times", n)
			}
			r.restarts(nil)
		})
	}
}

// asRoot has the server run as root, who may read what is root's alone. The agent does not.
func asRoot(p *corev1.Pod, mode int32, items ...corev1.KeyToPath) *corev1.Pod {
	p.Spec.SecurityContext.RunAsUser, p.Spec.SecurityContext.RunAsGroup, p.Spec.SecurityContext.FSGroup = nil, nil, nil
	p.Spec.SecurityContext.RunAsNonRoot = nil
	for _, c := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range c {
			c[i].SecurityContext.RunAsUser = new(int64(0))
		}
	}
	p.Spec.Volumes[0].Secret.DefaultMode, p.Spec.Volumes[0].Secret.Items = &mode, items
	return p
}

func TestACertificateThatTheAgentMayNotReadIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := asked("POST :9090/reload")
	r := prepare(t, s, "baseline")
	made, warnings, err := r.create(t.Context(), asRoot(s.Pod(), 0o400))
	r.must(err)
	if hasAgent(made) {
		t.Error("the agent was injected")
	}
	if want := "only root can read volume tls (defaultMode); set fsGroup"; !strings.Contains(strings.Join(warnings, "\n"), want) {
		t.Errorf("the one who made the pod was told %q, not %q", warnings, want)
	}
	r.await(made.Name)
}

func TestAKeyThatTheAgentMayNotReadIsNoHindrance(t *testing.T) {
	t.Parallel()
	s := asked("POST :9090/reload")
	r := prepare(t, s, "baseline")
	r.start(asRoot(s.Pod(), 0o444, corev1.KeyToPath{Key: "tls.crt", Path: "tls.crt"}, corev1.KeyToPath{Key: "tls.key", Path: "tls.key", Mode: new(int32(0o400))}))
	r.settle()
	r.served(r.replace())
	r.said("certificate is served", "method", "http")
	if body, err := r.ask(http.MethodGet, "/asked"); err != nil || body != "1" {
		t.Errorf("the server was asked %s times: %v", body, err)
	}
	r.restarts(nil)
}
