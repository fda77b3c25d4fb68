package issuance

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/test/harness"
)

func TestTheComponentGivesTheFlagAndThePermission(t *testing.T) {
	t.Parallel()
	flags, secrets := 0, [][]any{}
	for text := range strings.SplitSeq(kubectl(t, "kustomize", "manifests/overlays/read-secrets"), "\n---\n") {
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
			Rules    []map[string][]any
			Spec     struct {
				Template struct {
					Spec struct{ Containers []struct{ Args []string } }
				}
			}
		}
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if o.Kind == "Deployment" {
			flags += strings.Count(strings.Join(o.Spec.Template.Spec.Containers[0].Args, " "), "--read-secrets")
		}
		for _, rule := range o.Rules {
			if o.Kind == "ClusterRole" && o.Metadata.Name == "certwire-read-secrets" {
				secrets = append(secrets, rule["resources"], rule["verbs"])
			}
		}
	}
	if flags != 1 || len(secrets) != 2 || secrets[0][0] != "secrets" || len(secrets[1]) != 1 || secrets[1][0] != "get" {
		t.Errorf("the flag is there %d times, the role says %v", flags, secrets)
	}
	if text := kubectl(t, "kustomize", "manifests"); strings.Contains(text, "read-secrets") {
		t.Error("it is in the install without the component, too")
	}
}

// reading starts a replica that reads Secrets, beside the others.
func reading(t *testing.T) *harness.Replica {
	t.Helper()
	kubectl(t, "apply", "-f", "manifests/components/read-secrets/rbac.yaml")
	r, err := certwire.Aside(t.Context(), "--read-secrets")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Terminate()
		<-r.Ended()
	})
	if err := r.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsKnownOfTheSecretDecides(t *testing.T) {
	t.Parallel()
	exact, ordinary := reading(t), certwire.Replicas[0]
	once, domain := guarded(t)
	twice, _ := guarded(t)
	never, _ := guarded(t)
	web := certificate("web", productionIssuer, domain)
	used(t, 2, domain)
	for _, ns := range []string{once, twice} {
		mustApply(t, ns, web)
		ready(t, ns, "web")
	}
	recreate(t, twice, "web", web)
	ready(t, twice, "web")
	counts(t, production, perSet, domain)

	// says waits until a replica answers to the creation of a Certificate as it should: the caches are behind.
	says := func(r *harness.Replica, ns, text, want string) {
		t.Helper()
		last := ""
		defer func() {
			if t.Failed() {
				t.Logf("the last answer was %s", last)
			}
		}()
		eventually(t, "it is "+want, func() bool {
			answer, err := r.Review(t.Context(), "/guard", ns, text, false)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case !answer.Allowed && strings.Contains(answer.Result.Message, "at least 5 are used"):
				last = "refused"
			case answer.Allowed && len(answer.Warnings) == 0:
				last = "allowed"
			case answer.Allowed && strings.Contains(strings.Join(answer.Warnings, "\n"), "if this orders, the Order is refused"):
				last = "warned"
			default:
				last = answer.String()
			}
			return last == want
		})
	}

	// By history: whether creating it led to an order before.
	says(ordinary, never, web, "refused") // no Secret can be waiting in a namespace that is new
	says(ordinary, once, web, "warned")
	says(ordinary, twice, web, "refused")

	// By the Secret itself.
	says(exact, never, web, "refused")
	says(exact, once, web, "allowed")
	says(exact, twice, web, "allowed")
	for sentence, text := range map[string]string{
		"of another Certificate's name": strings.Replace(web, "{name: web}", "{name: web2}", 1),
		"with another key":              web + "  privateKey: {algorithm: ECDSA}\n",
	} {
		t.Log("a Secret " + sentence)
		says(exact, once, text, "refused")
	}
	mustApply(t, once, certificate("other", productionIssuer, "other."+domain))
	ready(t, once, "other")
	says(exact, once, strings.Replace(web, "web-tls", "other-tls", 1), "refused")
	garbage := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "garbage-tls"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: []byte("garbage"), corev1.TLSPrivateKeyKey: []byte("garbage")},
	}
	if _, err := cluster.Client.CoreV1().Secrets(once).Create(t.Context(), garbage, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	says(exact, once, strings.Replace(web, "web-tls", "garbage-tls", 1), "refused")
	kubectl(t, "delete", "secret", "web-tls", "-n", once)
	says(exact, once, web, "refused")
	counts(t, production, perSet, domain)
}
