package policy

import "testing"

func TestNewSetRefuses(t *testing.T) {
	t.Parallel()
	ok := Rule{Name: "a-b", Reasons: []Reason{"x"}, Check: func(Request) Finding { return Finding{} }}
	for sentence, rules := range map[string][]Rule{
		"two rules of one name":        {ok, ok},
		"a name unfit for a label":     {{Name: "A b", Reasons: ok.Reasons, Check: ok.Check}},
		"a rule without a check":       {{Name: "a", Reasons: ok.Reasons}},
		"a rule without reasons":       {{Name: "a", Check: ok.Check}},
		"a rule without so much as it": {{}},
	} {
		if _, err := NewSet(rules); err == nil {
			t.Errorf("%s was accepted", sentence)
		}
	}
	if _, err := NewSet(Rules()); err != nil {
		t.Error(err)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	label := func(v string) map[string]string { return map[string]string{IssuanceLabel: v} }
	for sentence, c := range map[string]struct {
		modes  Modes
		labels map[string]string
		want   Mode
	}{
		"nothing said is warn":                                  {Modes{}, nil, ModeWarn},
		"the configured default counts":                         {Modes{Default: ModeDeny}, nil, ModeDeny},
		"the rule's own mode beats the default":                 {Modes{Default: ModeDeny, Rules: map[RuleName]Mode{"r": ModeWarn}}, nil, ModeWarn},
		"the namespace beats both":                              {Modes{Default: ModeDeny, Rules: map[RuleName]Mode{"r": ModeWarn}}, label("deny"), ModeDeny},
		"the namespace may switch off":                          {Modes{Default: ModeDeny}, label("off"), ModeOff},
		"the namespace cannot switch on what is configured off": {Modes{Rules: map[RuleName]Mode{"r": ModeOff}}, label("deny"), ModeOff},
		"a label that is no mode does not count":                {Modes{Default: ModeDeny}, label("enforce"), ModeDeny},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.modes.For("r", c.labels); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestEveryReasonIsDeclared(t *testing.T) {
	t.Parallel()
	for _, r := range Rules() {
		seen := map[Reason]bool{}
		for _, reason := range r.Reasons {
			if seen[reason] || !kebab.MatchString(string(reason)) {
				t.Errorf("rule %s: reason %q twice or unfit for a label", r.Name, reason)
			}
			seen[reason] = true
		}
	}
}
