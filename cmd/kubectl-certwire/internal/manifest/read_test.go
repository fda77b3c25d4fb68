package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		text           string
		want, problems []string
	}{
		"an object begins at its first key": {
			"# about it\n\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\n", []string{"3 /Pod shop/a"}, nil,
		},
		"several documents": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\n",
			[]string{"1 /Pod /a", "5 apps/Deployment /b"}, nil,
		},
		"what stands behind the marker belongs to the document": {
			"--- # first\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n--- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n",
			[]string{"2 /Pod /a", "5 /Pod /b"}, nil,
		},
		"directives, ends of documents and line ends of Windows": {
			"%YAML 1.1\r\n---\r\napiVersion: v1\r\nkind: Pod\r\nmetadata: {name: a}\r\n...\r\napiVersion: v1\r\nkind: Pod\r\nmetadata: {name: b}\r\n",
			[]string{"3 /Pod /a", "7 /Pod /b"}, nil,
		},
		"three dashes inside a text end nothing": {
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: |\n    ---\n    y\n", []string{"1 /ConfigMap /a"}, nil,
		},
		"a broken document hides no other": {
			"apiVersion: v1\nkind: [\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", []string{"4 /Pod /a"},
			[]string{"1 yaml: line 2: did not find expected node content"},
		},
		"a template is told to be one": {
			"{{ if .Values.x }}\napiVersion: v1\n{{ end }}\n", nil, []string{"1 yaml: "},
		},
		"an object of another's making may have items": {
			"apiVersion: x.example/v1\nkind: Box\nitems: {a: b}\n", []string{"1 x.example/Box /"}, nil,
		},
		"a list's items have lines of their own": {
			"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n",
			[]string{"4 /Pod /a", "7 /Pod /b"}, nil,
		},
		"a typed list's items need no kind": {
			"apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n", []string{"4 apps/Deployment /a"}, nil,
		},
		"JSON, one object after the other": {
			"{\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"}}\n{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\"}}\n",
			[]string{"1 /Pod /a", "3 /Pod /b"}, nil,
		},
		"a list in JSON": {
			"{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\"},\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\"}]}",
			[]string{"2 /Pod /", "3 /Pod /"}, nil,
		},
		"JSON that ends too early": {
			"{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}\n{\"apiVersion\":", []string{"1 /Pod /"}, []string{"2 unexpected EOF"},
		},
		"what is no Kubernetes object is passed over": {"replicas: 3\n---\n- a\n- b\n---\nhello\n---\nkind: X\n---\n# nothing\n", nil, nil},
		"metadata of the wrong shape":                 {"apiVersion: v1\nkind: Pod\nmetadata: [a]\n", nil, []string{"1 json: cannot unmarshal"}},
		"a generated name":                            {"apiVersion: v1\nkind: Pod\nmetadata: {generateName: web-}\n", []string{"1 /Pod /web-?"}, nil},
		"a byte order mark":                           {"\xef\xbb\xbfapiVersion: v1\nkind: Pod\n", []string{"1 /Pod /"}, nil},
		"nothing at all":                              {"", nil, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			objects, problems := Read("in", []byte(c.text))
			var got []string
			for _, o := range objects {
				got = append(got, fmt.Sprintf("%d %s/%s %s/%s", o.Line, o.Group, o.Kind, o.Namespace, o.Name))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if len(problems) != len(c.problems) {
				t.Fatalf("problems %v, want %q", problems, c.problems)
			}
			for i, want := range c.problems {
				if text := fmt.Sprintf("%d %s", problems[i].Line, problems[i].Text); !strings.Contains(text, want) {
					t.Errorf("problem %q, want %q", text, want)
				}
			}
		})
	}
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pod := []byte("apiVersion: v1\nkind: Pod\n")
	for _, name := range []string{"a.yaml", "below/b.yml", "below/c.json", ".hidden/d.yaml", ".e.yaml", "README.md"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, pod, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	objects, problems := ReadAll([]string{dir, Stdin, filepath.Join(dir, "missing.yaml")}, strings.NewReader(string(pod)))
	var files []string
	for _, o := range objects {
		files = append(files, strings.TrimPrefix(o.File, dir+"/"))
	}
	if diff := cmp.Diff([]string{"a.yaml", "below/b.yml", "below/c.json", "stdin"}, files); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 1 || problems[0].Text != "no such file or directory" {
		t.Errorf("problems: %v", problems)
	}
}

// FuzzRead: whatever the bytes, every object is JSON with a kind, and lies within the text.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: Pod\n---\nkind: [", "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}]}",
		"apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}, 3, null, [x]]", "a: &a [*a]", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
		"apiVersion: v1\nkind: List\nitems:\n  <<: {a: b}\n", "? {a: b}\n: c", "!!binary aaa", "apiVersion: v1\nkind: List\nitems: &x [{apiVersion: v1, kind: List, items: *x}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		objects, problems := Read("in", text)
		lines := strings.Count(string(text), "\n") + 1
		for _, o := range objects {
			if o.Line < 1 || o.Line > lines || len(o.JSON) == 0 || o.JSON[0] != '{' || o.File != "in" {
				t.Errorf("object %+v of %d lines", o, lines)
			}
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Text == "" || strings.Contains(p.Text, "\n") {
				t.Errorf("problem %+v of %d lines", p, lines)
			}
		}
	})
}
