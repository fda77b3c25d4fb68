package config

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/certwire/certwire/pkg/acme"
)

// ca is the authority in acme's words. What does not validate counts as not set.
func (a Authority) ca() acme.CA {
	out := acme.CA{
		Name: a.Name, Production: a.Production, Staging: a.Staging,
		Lifetime: duration(a.Lifetime), Backdate: duration(a.Backdate), RenewalExemption: duration(a.RenewalExemption),
	}
	if a.Limits != nil {
		out.Limits = &acme.Limits{}
		for _, l := range a.limits() {
			if to := limitOf(out.Limits, l.name); l.limit != nil {
				*to = acme.Limit{Count: int64(l.limit.Count), Burst: int64(l.limit.Burst), Period: duration(l.limit.Period)}
			}
		}
	}
	return out
}

// namedLimit is a limit with its field's name.
type namedLimit struct {
	name  string
	limit *Limit
}

// limits are all four, nil where one is not given.
func (a Authority) limits() []namedLimit {
	if a.Limits == nil {
		return nil
	}
	return []namedLimit{
		{"newOrders", a.Limits.NewOrders},
		{"certificatesPerDomain", a.Limits.CertificatesPerDomain},
		{"certificatesPerSet", a.Limits.CertificatesPerSet},
		{"failedAuthorizations", a.Limits.FailedAuthorizations},
	}
}

func limitOf(l *acme.Limits, name string) *acme.Limit {
	switch name {
	case "newOrders":
		return &l.NewOrders
	case "certificatesPerDomain":
		return &l.CertificatesPerDomain
	case "certificatesPerSet":
		return &l.CertificatesPerSet
	default:
		return &l.FailedAuthorizations
	}
}

func (a Authority) validate(at *field.Path) field.ErrorList {
	var problems field.ErrorList
	if a.Name == "" {
		problems = append(problems, field.Required(at.Child("name"), "what people call the CA"))
	}
	if len(a.Production)+len(a.Staging) == 0 {
		problems = append(problems, field.Required(at, "at least one host in production or staging"))
	}
	if _, err := acme.NewDirectories(acme.CA{Name: a.Name, Production: a.Production, Staging: a.Staging}); err != nil {
		problems = append(problems, field.Invalid(at, a.Name, err.Error()))
	}
	about := false
	for _, d := range []struct{ name, value string }{
		{"lifetime", a.Lifetime}, {"backdate", a.Backdate}, {"renewalExemption", a.RenewalExemption},
	} {
		about = about || d.value != ""
		if d.value != "" && duration(d.value) == 0 {
			problems = append(problems, field.Invalid(at.Child(d.name), d.value, `must be a positive Go duration such as "2160h"`))
		}
	}
	if (about || a.Limits != nil) && len(a.Production) == 0 {
		problems = append(problems, field.Required(at.Child("production"), "limits, lifetime, backdate and renewalExemption are those of production directories"))
	}
	for _, l := range a.limits() {
		if l.limit != nil {
			problems = append(problems, l.limit.validate(at.Child("limits", l.name))...)
		}
	}
	return problems
}

func (l Limit) validate(at *field.Path) field.ErrorList {
	var problems field.ErrorList
	if l.Count < 1 {
		problems = append(problems, field.Invalid(at.Child("count"), l.Count, "must be at least 1"))
	}
	if l.Burst < 0 {
		problems = append(problems, field.Invalid(at.Child("burst"), l.Burst, "must be at least 1"))
	}
	period := duration(l.Period)
	if period == 0 {
		problems = append(problems, field.Invalid(at.Child("period"), l.Period, `must be a positive Go duration such as "168h"`))
	}
	if len(problems) == 0 {
		if err := (acme.Limit{Count: int64(l.Count), Burst: int64(l.Burst), Period: period}).Validate(); err != nil {
			problems = append(problems, field.Invalid(at, l.Period, err.Error()))
		}
	}
	return problems
}

// duration reads a positive Go duration; 0 for everything else.
func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0
	}
	return d
}
