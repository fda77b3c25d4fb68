package policy

import (
	"slices"
	"testing"
)

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

func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	many := Rule{Name: "many", Reasons: []Reason{"x"}, Check: func(Request) Finding {
		return Finding{Reason: "x", Warnings: slices.Repeat([]string{"w"}, 9)}
	}}
	more := many
	more.Name = "more"
	set, err := NewSet([]Rule{many, more})
	if err != nil {
		t.Fatal(err)
	}
	got := set.Decide(Request{Relevant: true}, func(RuleName) Mode { return ModeWarn }).Warnings
	if len(got) != 12 || got[11] != "and 7 more warnings" {
		t.Errorf("%d: %q", len(got), got)
	}
}

func TestOnlyConcernedRulesAreAsked(t *testing.T) {
	t.Parallel()
	deny := func(RuleName) Mode { return ModeDeny }
	rule := func(name RuleName, concerned bool) Rule {
		return Rule{
			Name: name, Reasons: []Reason{"x"}, Concerns: func(Object, Object) bool { return concerned },
			Check: func(Request) Finding { return Finding{Reason: "x", Refusable: true, Message: "no"} },
		}
	}
	for sentence, c := range map[string]struct {
		rules   []Rule
		old     *Object
		verdict Verdict
		reason  Reason
	}{
		"a creation concerns every rule":               {[]Rule{rule("a", false)}, nil, Deny, "x"},
		"an update that concerns none changes nothing": {[]Rule{rule("a", false), rule("b", false)}, &Object{}, Allow, ReasonUnchanged},
		"an update that concerns one is its matter":    {[]Rule{rule("a", false), rule("b", true)}, &Object{}, Deny, "x"},
	} {
		set, err := NewSet(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if got := set.Decide(Request{Relevant: true, Old: c.old}, deny); got.Verdict != c.verdict || got.Reason != c.reason {
			t.Errorf("%s: %s (%s)", sentence, got.Verdict, got.Reason)
		}
	}
}
