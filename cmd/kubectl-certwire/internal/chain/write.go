package chain

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
)

// Style says how to write.
type Style struct {
	// Wide shows every place, and not the first few of each group.
	Wide  bool
	Paint terminal.Painter
	// Lines draws the tree with box characters; otherwise plain ASCII does.
	Lines bool
}

// shown is how many places of a group are shown where nobody asked for all; those that are behind come first.
const shown = 10

// strokes are how the branches of a tree are drawn.
type strokes struct{ more, last, through, gap string }

var (
	boxes = strokes{"\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ", "   "} // U+251C, U+2514, U+2502, U+2500
	ascii = strokes{"|- ", "`- ", "|  ", "   "}
)

type line struct {
	name  string
	node  *Node
	cells [4]string
}

// Write writes a tree for people.
func Write(w io.Writer, t *Tree, s Style) error {
	with := ascii
	if s.Lines {
		with = boxes
	}
	lines := []line{{name: "CHAIN", cells: [4]string{"STATE", "SERIAL", "UNTIL", ""}}}
	lines = appendLines(lines, t.Chain, "", "", with, s)
	var widths [4]int
	for _, l := range lines {
		widths[0] = max(widths[0], utf8.RuneCountInString(l.name))
		for i, c := range l.cells[:3] {
			widths[i+1] = max(widths[i+1], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, l := range lines {
		text := pad(l.name, widths[0]) + "   " + colour(l, s.Paint, pad(l.cells[0], widths[1])) + "   " + pad(l.cells[1], widths[2]) + "   " + pad(l.cells[2], widths[3])
		if l.cells[3] != "" {
			text += "   " + l.cells[3]
		}
		b.WriteString(strings.TrimRight(text, " "))
		if l.node != nil && l.node.First {
			b.WriteString("   " + s.Paint.Bold(s.Paint.Red("<-- first stale layer")))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n%s\n", verdict(t, s.Paint))
	for _, r := range t.Remedies {
		fmt.Fprintf(&b, "  %s\n", s.Paint.Bold(r))
	}
	fmt.Fprintf(&b, "The wire: %s\n", t.Wire)
	if len(t.Unseen) > 0 {
		b.WriteString("Not seen\n")
	}
	for _, u := range t.Unseen {
		fmt.Fprintf(&b, "  - %s\n", u)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func appendLines(lines []line, n *Node, first, below string, with strokes, s Style) []line {
	until := "-"
	if !n.Leaf.NotAfter.IsZero() {
		until = minute(n.Leaf.NotAfter)
	}
	serial := n.Leaf.Serial
	if serial == "" {
		serial = "-"
	}
	if grouped := len(n.Children) > 0 && onWire(n.Layer); grouped {
		serial, until = "", ""
	}
	lines = append(lines, line{first + n.Name, n, [4]string{string(n.State), serial, until, n.Note}})
	children, left := n.Children, 0
	if onWire(n.Layer) && !s.Wide && len(children) > shown {
		children, left = children[:shown], len(children)-shown
	}
	for i, c := range children {
		stroke, under := with.more, with.through
		if i == len(children)-1 && left == 0 {
			stroke, under = with.last, with.gap
		}
		lines = appendLines(lines, c, below+stroke, below+under, with, s)
	}
	if left > 0 {
		lines = append(lines, line{name: below + with.last + fmt.Sprintf("and %d more: -o wide", left)})
	}
	return lines
}

func colour(l line, paint terminal.Painter, text string) string {
	if l.node == nil {
		return text
	}
	switch l.node.State {
	case Current:
		return paint.Green(text)
	case Stale:
		return paint.Red(text)
	case Unknown:
		return paint.Yellow(text)
	default:
		return paint.Faint(text)
	}
}

func verdict(t *Tree, paint terminal.Painter) string {
	switch t.Verdict {
	case Current:
		return paint.Green(t.Text)
	case Stale:
		return paint.Red(t.Text)
	default:
		return paint.Yellow(t.Text)
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}
