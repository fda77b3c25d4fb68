package acme

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTransactions(t *testing.T) {
	t.Parallel()
	limits := letsEncryptServices()[Production].Limits
	const account = "https://acme/1"
	names := []string{"www.Example.com", "example.org", "example.com", "64.112.117.1"}
	set := SetKey(names)
	for sentence, c := range map[string]struct {
		limits Limits
		event  func(Limits) []Transaction
		want   []string
	}{
		"a first order meets every limit": {limits, func(l Limits) []Transaction {
			return l.NewOrder(OrderFacts{Account: account, Names: names})
		}, []string{
			"check spend new-orders https://acme/1",
			"check failed-authorizations https://acme/1 example.com",
			"check failed-authorizations https://acme/1 example.org",
			"check failed-authorizations https://acme/1 www.example.com",
			"check failed-authorizations https://acme/1 64.112.117.1",
			"check certificates-per-domain 64.112.117.1/32",
			"check certificates-per-domain example.com",
			"check certificates-per-domain example.org",
			"check certificates-per-set " + set,
		}},
		"a renewal is exempt from the account's orders and the domain's certificates": {limits, func(l Limits) []Transaction {
			return l.NewOrder(OrderFacts{Account: account, Names: names[1:3], Renewal: true})
		}, []string{
			"check failed-authorizations https://acme/1 example.com",
			"check failed-authorizations https://acme/1 example.org",
			"check certificates-per-set " + SetKey(names[1:3]),
		}},
		"an order in its ARI window meets no limit": {limits, func(l Limits) []Transaction {
			return l.NewOrder(OrderFacts{Account: account, Names: names, ARI: true})
		}, nil},
		"an account that is not known has no buckets": {limits, func(l Limits) []Transaction {
			return l.NewOrder(OrderFacts{Names: names[2:3]})
		}, []string{"check certificates-per-domain example.com", "check certificates-per-set " + SetKey(names[2:3])}},
		"what the CA does not limit is left out": {Limits{CertificatesPerDomain: fivePerWeek}, func(l Limits) []Transaction {
			return l.NewOrder(OrderFacts{Account: account, Names: names[2:3]})
		}, []string{"check certificates-per-domain example.com"}},
		"an issuance spends domain and set": {limits, func(l Limits) []Transaction {
			return l.Issued(OrderFacts{Account: account, Names: names[:3]})
		}, []string{
			"spend certificates-per-domain example.com", "spend certificates-per-domain example.org",
			"spend certificates-per-set " + SetKey(names[:3]),
		}},
		"the issuance of a renewal spends the set": {limits, func(l Limits) []Transaction {
			return l.Issued(OrderFacts{Account: account, Names: names, Renewal: true})
		}, []string{"spend certificates-per-set " + set}},
		"one with ARI spends all the same": {limits, func(l Limits) []Transaction {
			return l.Issued(OrderFacts{Account: account, Names: names[2:3], ARI: true})
		}, []string{"spend certificates-per-domain example.com", "spend certificates-per-set " + SetKey(names[2:3])}},
		"a failed validation spends the identifier's": {limits, func(l Limits) []Transaction {
			return []Transaction{l.FailedAuthorization(account, "WWW.example.com")}
		}, []string{"spend failed-authorizations https://acme/1 www.example.com"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, txn := range c.event(c.limits) {
				line := string(txn.Key.Limit) + " " + txn.Key.Value
				if txn.Spend {
					line = "spend " + line
				}
				if txn.Check {
					line = "check " + line
				}
				got = append(got, line)
				if txn.Cost != 1 || txn.Limit != c.limits.Of(txn.Key.Limit) {
					t.Errorf("%s: cost %d, limit %+v", line, txn.Cost, txn.Limit)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("transactions (-want +got):\n%s", diff)
			}
		})
	}
	if got := limits.Of(NewRegistrations); got != (Limit{}) {
		t.Errorf("no order registers an account, but there is %+v", got)
	}
}
