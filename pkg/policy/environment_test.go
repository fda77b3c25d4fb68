package policy

import "testing"

func TestEnvironments(t *testing.T) {
	t.Parallel()
	configured := Environments{
		Labels:     []string{"env", "stage"},
		Patterns:   []NamePattern{{"prod-*", "prod"}, {"*-dev", "dev"}},
		Production: []string{"prod", "live"},
	}
	for sentence, c := range map[string]struct {
		e         Environments
		namespace string
		labels    map[string]string
		want      Environment
	}{
		"our label says production":                    {Environments{}, "a", map[string]string{EnvironmentLabel: "production"}, Environment{"production", true, "label certwire.dev/environment"}},
		"any other word is not production":             {Environments{}, "a", map[string]string{EnvironmentLabel: "prod"}, Environment{"prod", false, "label certwire.dev/environment"}},
		"no label is no environment":                   {Environments{}, "production", nil, Environment{"", false, "no label certwire.dev/environment"}},
		"an existing label counts":                     {configured, "a", map[string]string{"stage": "live"}, Environment{"live", true, "label stage"}},
		"our label beats an existing one":              {configured, "a", map[string]string{"stage": "live", EnvironmentLabel: "dev"}, Environment{"dev", false, "label certwire.dev/environment"}},
		"labels are asked in their order":              {configured, "a", map[string]string{"stage": "live", "env": "qa"}, Environment{"qa", false, "label env"}},
		"a label beats the name":                       {configured, "prod-x", map[string]string{"env": "qa"}, Environment{"qa", false, "label env"}},
		"the name decides without labels":              {configured, "prod-x", nil, Environment{"prod", true, "name pattern prod-*"}},
		"the first pattern wins":                       {configured, "prod-dev", nil, Environment{"prod", true, "name pattern prod-*"}},
		"the configured words replace the default one": {configured, "a", map[string]string{"env": "production"}, Environment{"production", false, "label env"}},
		"a configured default takes what is left":      {Environments{Default: "production"}, "a", nil, Environment{"production", true, "the configured default"}},
		"an empty label value says nothing":            {Environments{Default: "dev"}, "a", map[string]string{EnvironmentLabel: ""}, Environment{"dev", false, "the configured default"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.e.Of(c.namespace, c.labels); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
