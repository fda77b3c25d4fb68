package mutate

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestAnAgentAnnotationIsTakenOrNamed(t *testing.T) {
	t.Parallel()
	digest := "registry.example/agent@sha256:" + strings.Repeat("0f", 32)
	for sentence, c := range map[string]struct {
		value, problem string
	}{
		"all of it":                     {"image=" + digest + " port=9402 deadline=1h spread=10m cpu=20m memory=32Mi", ""},
		"an image on a port, with both": {"image=localhost:5000/a/b_c--d.e:v1@sha256:" + strings.Repeat("0", 64), ""},
		"bytes":                         {"memory=32", `"memory=32" is not a quantity from 8Mi to 1Gi`},
		"parts of bytes":                {"memory=32m", "is not a quantity from 8Mi to 1Gi"},
		"very much":                     {"memory=32Gi", "is not a quantity from 8Mi to 1Gi"},
		"whole processors":              {"cpu=20", `"cpu=20" is not a quantity from 1m to 2`},
		"no processor":                  {"cpu=0", "is not a quantity from 1m to 2"},
		"no quantity":                   {"cpu=few", "is not a quantity from 1m to 2"},
		"an image in capitals":          {"image=Agent", `"image=Agent" is not an image as in`},
		"an image with a short digest":  {"image=agent@sha256:0f", "is not an image as in"},
		"an image with an empty tag":    {"image=agent:", "is not an image as in"},
		"an image that is a URL":        {"image=https://registry.example/agent", "is not an image as in"},
		"a very long image":             {"image=" + strings.Repeat("a", 513), "is not an image as in"},
		"a port of nobody's":            {"port=0", "is not a port from 1 to 65535"},
		"a word":                        {"fast", `"fast" is none of image=, port=,`},
		"a long word":                   {strings.Repeat("x", 1<<16), `xxx..." is none of`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			before := Agent{Image: "agent", Resources: needs("cpu=5m", "memory=32Mi")}
			got, err := before.override(c.value)
			if (err != nil) != (c.problem != "") {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				return
			}
			if !strings.Contains(err.Error(), c.problem) || len(err.Error()) > 200 {
				t.Errorf("got %v", err)
			}
			if diff := gocmp.Diff(before, got); diff != "" {
				t.Errorf("it changed all the same:\n%s", diff)
			}
		})
	}
}
