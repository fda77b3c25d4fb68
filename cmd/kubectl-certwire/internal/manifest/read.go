package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// Object is one Kubernetes object of a file.
type Object struct {
	// File is the name that it was read under, Line where it begins there, counted from 1.
	File string
	Line int
	// Group and Kind are of its apiVersion and kind.
	Group, Kind string
	// Namespace and Name are of its metadata. Name is generateName and a question mark where that is all there is.
	Namespace, Name string
	// JSON is the object.
	JSON []byte
}

// Problem is a document that cannot be read.
type Problem struct {
	File string
	Line int
	Text string
}

// MaxBytes bounds one file: a list of all of a cluster's workloads has a few megabytes.
const MaxBytes = 64 << 20

// Read reads every object of a text. Documents that are no Kubernetes objects, without apiVersion and kind, are passed over.
func Read(file string, text []byte) ([]Object, []Problem) {
	r := reader{file: file}
	if len(text) > MaxBytes {
		r.problem(1, fmt.Errorf("more than %d bytes", MaxBytes))
		return nil, r.problems
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark
	for _, c := range split(string(text)) {
		r.document(c)
	}
	return r.objects, r.problems
}

type reader struct {
	file     string
	objects  []Object
	problems []Problem
}

func (r *reader) problem(line int, err error) {
	r.problems = append(r.problems, Problem{r.file, line, strings.Join(strings.Fields(err.Error()), " ")})
}

func (r *reader) document(c chunk) {
	if strings.HasPrefix(strings.TrimLeft(c.text, " \t\n"), "{") && r.stream(c) {
		return
	}
	var node yamlnode.Node
	if err := yamlnode.Unmarshal([]byte(c.text), &node); err != nil {
		r.problem(c.line, explained(c.text, err))
		return
	}
	object, err := yaml.YAMLToJSON([]byte(c.text))
	if err != nil {
		r.problem(c.line, explained(c.text, err))
		return
	}
	root := &node
	if node.Kind == yamlnode.DocumentNode && len(node.Content) > 0 {
		root = node.Content[0]
	}
	line := func(n *yamlnode.Node) int { return c.line + max(n.Line, 1) - 1 }
	r.object(object, line(root), func(i int) int {
		if items := itemsOf(root); items != nil && i < len(items.Content) {
			return line(items.Content[i])
		}
		return line(root)
	})
}

// explained adds what is most often the matter.
func explained(text string, err error) error {
	if strings.Contains(text, "{{") {
		return fmt.Errorf("%w; this looks like a template: render it first, as in helm template CHART | kubectl certwire lint -f -", err)
	}
	return err
}

// itemsOf finds the items of a list.
func itemsOf(root *yamlnode.Node) *yamlnode.Node {
	if root.Kind != yamlnode.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "items" && root.Content[i+1].Kind == yamlnode.SequenceNode {
			return root.Content[i+1]
		}
	}
	return nil
}

// stream reads JSON values one after the other; false for text that is not JSON from its first value on.
func (r *reader) stream(c chunk) bool {
	d := json.NewDecoder(strings.NewReader(c.text))
	for first := true; ; first = false {
		begin := int(d.InputOffset())
		begin += len(c.text[begin:]) - len(strings.TrimLeft(c.text[begin:], " \t\r\n"))
		line := c.line + strings.Count(c.text[:begin], "\n")
		var object json.RawMessage
		err := d.Decode(&object)
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil && first:
			return false
		case err != nil:
			r.problem(line, err)
			return true
		}
		r.object(object, line, func(i int) int { return line + itemLine(object, i) })
	}
}

// itemLine counts the lines before an item of a list in JSON.
func itemLine(list []byte, i int) int {
	var l struct {
		Items []json.RawMessage `json:"items"`
	}
	if json.Unmarshal(list, &l) != nil || i >= len(l.Items) {
		return 0
	}
	from := 0
	for _, item := range l.Items[:i+1] {
		at := bytes.Index(list[from:], item)
		if at < 0 {
			return 0
		}
		from += at
		if &item[0] == &l.Items[i][0] {
			break
		}
		from += len(item)
	}
	return bytes.Count(list[:from], []byte("\n"))
}

// head is what tells what an object is.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name         string `json:"name"`
		GenerateName string `json:"generateName"`
		Namespace    string `json:"namespace"`
	} `json:"metadata"`
	Items json.RawMessage `json:"items"`
}

// object takes one object, or those of a list.
func (r *reader) object(raw []byte, line int, itemLine func(int) int) {
	if !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) {
		return
	}
	var kinds struct {
		APIVersion any `json:"apiVersion"`
		Kind       any `json:"kind"`
	}
	if err := json.Unmarshal(raw, &kinds); err != nil {
		r.problem(line, err)
		return
	}
	if version, ok := kinds.APIVersion.(string); !ok || version == "" || kinds.Kind == nil {
		return
	}
	var h head
	if err := json.Unmarshal(raw, &h); err != nil {
		r.problem(line, err)
		return
	}
	var items []json.RawMessage
	if kind, ok := strings.CutSuffix(h.Kind, "List"); ok && len(h.Items) > 0 && json.Unmarshal(h.Items, &items) == nil {
		for i, item := range items {
			r.object(typed(item, h.APIVersion, kind), itemLine(i), func(int) int { return itemLine(i) })
		}
		return
	}
	group, _, grouped := strings.Cut(h.APIVersion, "/")
	if !grouped {
		group = ""
	}
	name := h.Metadata.Name
	if name == "" && h.Metadata.GenerateName != "" {
		name = h.Metadata.GenerateName + "?"
	}
	r.objects = append(r.objects, Object{
		File: r.file, Line: line, Group: group, Kind: h.Kind, Namespace: h.Metadata.Namespace, Name: name, JSON: raw,
	})
}

// typed gives an item of a typed list the kind that the API server leaves out there.
func typed(item []byte, version, kind string) []byte {
	var o map[string]json.RawMessage
	if kind == "" || json.Unmarshal(item, &o) != nil || o == nil || o["kind"] != nil || o["apiVersion"] != nil {
		return item
	}
	o["apiVersion"], _ = json.Marshal(version)
	o["kind"], _ = json.Marshal(kind)
	out, err := json.Marshal(o)
	if err != nil {
		return item
	}
	return out
}
