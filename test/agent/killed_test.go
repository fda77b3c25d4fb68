package agent

import (
	"syscall"
	"testing"

	"github.com/certwire/certwire/test/pods"
)

// agentAlone is for restarts: the agent's container once, no other.
var agentAlone = map[string]int32{agentContainer: 1}

func asked(annotation string) pods.Server {
	return pods.App("once", map[string]string{"certwire.dev/http": annotation, "certwire.dev/method": "http"})
}

func TestAnAgentThatWasKilledComesBack(t *testing.T) {
	t.Parallel()
	r := deploy(t, asked("POST :9090/reload"))
	r.settle()
	r.signal(agentContainer, syscall.SIGKILL)
	r.restarts(agentAlone)
	r.said("endpoints are known")
	r.answers("/asked", "0") // what it finds is nothing new
	r.served(r.replace())
	r.restarts(agentAlone)
}

func TestAnAgentThatWasKilledInMidUpdateGoesOn(t *testing.T) {
	t.Parallel()
	r := deploy(t, asked("POST :9090/reload"))
	r.settle()
	r.tell("/answer/hang")
	next := r.replace()
	r.answers("/asked", "1")
	r.signal(agentContainer, syscall.SIGKILL)
	r.tell("/answer/ok")
	r.served(next)
	r.said("certificate is served", "method", "http")
	r.restarts(agentAlone)
}

func TestAChangeWhileTheAgentIsAwayIsTakenUp(t *testing.T) {
	t.Parallel()
	r := deploy(t, asked("POST :9090/reload"))
	r.settle()
	r.signal(agentContainer, syscall.SIGSTOP)
	next := r.replace()
	r.answers("/file", next.Chain[0].SerialNumber.Text(16))
	r.stillServes(r.first)
	r.signal(agentContainer, syscall.SIGKILL)
	r.served(next)
	r.said("certificate changed")
	r.said("certificate is served", "method", "http")
	r.restarts(agentAlone)
}
