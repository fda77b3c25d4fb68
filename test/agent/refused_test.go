package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/test/pods"
)

func TestAServerThatDoesNotReloadGoesOnServing(t *testing.T) {
	t.Parallel()
	for answer, cause := range map[string]string{
		"refuse": `answered 500 "the configuration is broken"`,
		"hang":   "context deadline exceeded",
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			r := deploy(t, asked("POST :9090/reload timeout=1s"))
			r.settle()
			r.tell("/answer/" + answer)
			r.replace()
			r.said("method http failed", "cause", cause)
			r.said("certificate is not taken up", "state", "failed", "level", "ERROR", "cause", cause)
			r.stillServes(r.first)
			r.answers("/asked", "4") // and no more for a while
			r.restarts(nil)

			r.tell("/answer/ok")
			r.served(r.replace()) // a further renewal is not held up
			r.restarts(nil)
		})
	}
}

func TestAServerThatDoesNotReloadIsRestartedWhereItsOwnerAllows(t *testing.T) {
	t.Parallel()
	r := deploy(t, pods.App("once", map[string]string{"certwire.dev/method": "http,restart", "certwire.dev/http": "POST :9090/reload"}))
	r.settle()
	r.tell("/answer/refuse")
	r.served(r.replace())
	r.restarts(map[string]int32{"": 1})
	r.said("certificate is served", "method", "restart")
}

func TestNginxWithABrokenConfigurationGoesOnServing(t *testing.T) {
	t.Parallel()
	r := deploy(t, pods.Nginx(map[string]string{"certwire.dev/preset": "nginx", "certwire.dev/method": "signal"}))
	r.settle()
	r.configure("a word that nginx does not know;\n" + pods.NginxConfig)
	r.replace()
	r.said("certificate is taken up but not served", "state", "stale", "level", "ERROR", "cause", "port 8443 is previous")
	r.stillServes(r.first)
	r.restarts(nil)

	r.configure(pods.NginxConfig)
	r.served(r.replace())
	r.restarts(nil)
}

// configure replaces nginx's configuration and waits until the file has changed, which nginx itself shows.
func (r *rig) configure(text string) {
	r.t.Helper()
	_, err := cluster.Client.CoreV1().ConfigMaps(r.namespace).Update(r.t.Context(), pods.ConfigMap(text), metav1.UpdateOptions{})
	r.must(err)
	r.poke()
	client := insecure(false)
	r.eventually(pollEvery, "the configuration's file", func(ctx context.Context) error {
		body, err := get(ctx, client, "https://"+r.address("8443")+"/config")
		if err == nil && body != text {
			err = fmt.Errorf("it is another one: %s", strings.TrimSpace(body[:min(len(body), 40)]))
		}
		return err
	})
}

// insecure is a client that believes any certificate, and keeps its connections or makes a new one for each request.
func insecure(keep bool) *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: host}, DisableKeepAlives: !keep, MaxIdleConnsPerHost: 4,
	}}
}

// get returns the answer's body; an answer other than 200 is an error.
func get(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s", response.Status)
	}
	return string(body), err
}
