// Package terminal writes for people: it knows whether somebody looks, colours words for them, and lists what is said under
// headings.
package terminal

import (
	"cmp"
	"io"
	"os"
	"strings"
)

// Painter colours words, or leaves them as they are.
type Painter bool

// For returns a painter for what is written to w: colour is for terminals alone, and for those who have not said NO_COLOR
// (https://no-color.org).
func For(w io.Writer) Painter {
	return Painter(Is(w) && os.Getenv("NO_COLOR") == "")
}

// Is reports whether somebody looks at what is written to w, on a terminal that can move its cursor.
func Is(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Lines reports whether lines can be drawn with box characters: on a terminal whose locale has Unicode (POSIX: LC_ALL comes
// before LC_CTYPE, and that before LANG).
func Lines(w io.Writer) bool {
	locale := strings.ToUpper(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")))
	return Is(w) && (strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8"))
}

// The colours of ECMA-48's SGR that every terminal has.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	faint  = "2"
	bold   = "1"
)

// Red is for what fails.
func (p Painter) Red(s string) string { return p.paint(red, s) }

// Green is for what is as it should be.
func (p Painter) Green(s string) string { return p.paint(green, s) }

// Yellow is for what should be looked at.
func (p Painter) Yellow(s string) string { return p.paint(yellow, s) }

// Faint is for what is said beside.
func (p Painter) Faint(s string) string { return p.paint(faint, s) }

// Bold is for headings.
func (p Painter) Bold(s string) string { return p.paint(bold, s) }

func (p Painter) paint(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
