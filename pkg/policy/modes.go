package policy

// IssuanceLabel on a namespace overrides the configured mode of the issuance rules there.
const IssuanceLabel = "certwire.dev/issuance"

// Mode says what a rule does with a finding.
type Mode string

// The modes of a rule.
const (
	ModeDeny Mode = "deny"
	ModeWarn Mode = "warn"
	ModeOff  Mode = "off"
)

// ParseMode reads a mode; false for a word that is none.
func ParseMode(word string) (Mode, bool) {
	switch m := Mode(word); m {
	case ModeDeny, ModeWarn, ModeOff:
		return m, true
	default:
		return "", false
	}
}

// Modes are the configured modes.
type Modes struct {
	// Default is the mode of every rule in namespaces without the label. Defaults to warn.
	Default Mode
	// Rules sets the mode of single rules. Off here is final: a namespace's label cannot switch a rule on again.
	Rules map[RuleName]Mode
}

// For returns the mode of a rule in a namespace with these labels. The namespace's label beats the configuration, but
// for a rule that is configured off. A label value that is no mode does not count.
func (m Modes) For(rule RuleName, namespaceLabels map[string]string) Mode {
	configured := m.Rules[rule]
	if configured == ModeOff {
		return ModeOff
	}
	if labelled, ok := ParseMode(namespaceLabels[IssuanceLabel]); ok {
		return labelled
	}
	switch {
	case configured != "":
		return configured
	case m.Default != "":
		return m.Default
	default:
		return ModeWarn
	}
}
