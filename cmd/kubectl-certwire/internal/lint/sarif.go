package lint

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certwire/certwire/pkg/policy"
)

// The part of SARIF 2.1.0 (OASIS, sarif-v2.1.0-os) that a report needs. Section numbers are its own.
type (
	sarifLog struct { // 3.13
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct { // 3.14
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct { // 3.18
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct { // 3.19
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct { // 3.49
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
		HelpURI          string    `json:"helpUri"`
	}
	sarifText struct { // 3.11, 3.12
		Text string `json:"text"`
	}
	sarifInvocation struct { // 3.20
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct { // 3.58
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifResult struct { // 3.27
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct { // 3.28
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct { // 3.29
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct { // 3.4
		URI string `json:"uri"`
	}
	sarifRegion struct { // 3.30
		StartLine int `json:"startLine"`
	}
	sarifLogical struct { // 3.33
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

func newSARIF(r *Report, version string) sarifLog {
	rules := sarifRules()
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "certwire", Version: version, InformationURI: "https://github.com/certwire/certwire", Rules: rules,
		}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: len(r.Problems) == 0}},
		Results:     []sarifResult{},
	}
	for _, p := range r.Problems {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifNotification{
			Level: "error", Message: sarifText{p.Text}, Locations: []sarifLocation{location(p.File, p.Line)},
		})
	}
	for _, f := range r.Findings {
		at := location(f.File, f.Line)
		at.Logical = []sarifLogical{{strings.Trim(f.Namespace+"/"+f.Kind+"/"+f.Name, "/"), "resource"}}
		run.Results = append(run.Results, sarifResult{
			RuleID:    f.Rule,
			RuleIndex: slices.IndexFunc(rules, func(rule sarifRule) bool { return rule.ID == f.Rule }),
			Level:     string(f.Severity), Message: sarifText{f.Text}, Locations: []sarifLocation{at},
		})
	}
	return sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}
}

func location(file string, line int) sarifLocation {
	at := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{(&url.URL{Path: filepath.ToSlash(file)}).String()}}}
	if line > 0 {
		at.Physical.Region = &sarifRegion{line}
	}
	return at
}

// sarifRules describes every rule, whether it found something or not.
func sarifRules() []sarifRule {
	var out []sarifRule
	for _, r := range policy.Rules() {
		out = append(out, sarifRule{string(r.Name), sarifText{"Rule " + strings.ReplaceAll(string(r.Name), "-", " ")}, policy.Docs(r.Name)})
	}
	return append(out,
		sarifRule{ReloadRule, sarifText{"How a workload takes up a renewed certificate"}, docsReload},
		sarifRule{AgentRule, sarifText{"How a Pod takes up a renewed certificate by the agent"}, docsAgent},
		sarifRule{InputRule, sarifText{"What the input lacks"}, docsInput},
	)
}
