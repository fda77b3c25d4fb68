package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/test/harness"
)

// size is a cluster that memory has a target for.
type size struct {
	certificates, workloads int
	// limitMiB and ready are the targets; ready is 0 where there is none.
	limitMiB int
	ready    time.Duration
}

var (
	smallCluster = size{certificates: 1000, workloads: 5000, limitMiB: 64}
	largeCluster = size{certificates: 10_000, workloads: 50_000, limitMiB: 256, ready: 10 * time.Second}
)

// memory fills the cluster with workloads and starts a replica that knows nothing yet.
func (b *bench) memory(ctx context.Context, s size) error {
	if err := b.workloads(ctx, s.workloads); err != nil {
		return err
	}
	if err := b.quiet(ctx); err != nil {
		return err
	}
	kubeconfig := filepath.Join(b.folder, "kubeconfig")
	if err := b.cluster.ServiceAccountKubeconfig(ctx, kubeconfig); err != nil {
		return err
	}
	b.say("\n### Memory with %d Certificates and %d workloads (GOMEMLIMIT=%s)\n", b.filling.total(), b.filling.workloads, memoryLimit)
	replica, err := b.fresh(ctx, s, kubeconfig)
	if err != nil {
		return err
	}
	defer replica.Kill()
	b.say("")
	row := "| %-36s | %9s | %9s | %14s | %s"
	b.say(row, "process", "VmRSS MiB", "VmHWM MiB", "anonymous MiB", "")
	b.say("|%s|%s|%s|%s|", dashes(38), dashes(11), dashes(11), dashes(16))
	show := func(what string, pid int, judged bool) error {
		m, err := readMemory(pid)
		if err != nil {
			return err
		}
		verdict := ""
		if judged {
			verdict = fmt.Sprintf("target under %d MiB: resident %s, peak %s", s.limitMiB,
				met(m.resident < float64(s.limitMiB)), met(m.peak < float64(s.limitMiB)))
		}
		b.say(row, what, fmt.Sprintf("%.1f", m.resident), fmt.Sprintf("%.1f", m.peak), fmt.Sprintf("%.1f", m.anonymous), verdict)
		return nil
	}
	if err := show("certwire, just ready", replica.PID(), true); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-replica.Ended():
		return fmt.Errorf("the replica ended with code %d while it idled", replica.ExitCode())
	case <-time.After(b.options.idle):
	}
	if err := show(fmt.Sprintf("certwire, %s later", b.options.idle), replica.PID(), true); err != nil {
		return err
	}
	if err := show("certwire, the replica that leads", b.certwire.Replicas[0].PID(), false); err != nil {
		return err
	}
	if err := show("no-op webhook", b.noop.command.Process.Pid, false); err != nil {
		return err
	}
	return b.heap(ctx, replica)
}

// fresh starts a replica that knows nothing, several times, and returns the last one once it is ready.
func (b *bench) fresh(ctx context.Context, s size, kubeconfig string) (*harness.Replica, error) {
	options := harness.ReplicaOptions{Binary: b.binary, Kubeconfig: kubeconfig, Config: b.certwire.ConfigFile(), Log: b.log}
	for i := 1; ; i++ {
		start := time.Now()
		replica, err := harness.StartReplica(ctx, options)
		if err != nil {
			return nil, err
		}
		patience, cancel := context.WithTimeout(ctx, harness.Patience)
		notReady := replica.WaitReady(patience)
		cancel()
		took := time.Since(start)
		verdict := ""
		if s.ready > 0 {
			verdict = fmt.Sprintf("; target within %s: %s", s.ready, met(notReady == nil && took <= s.ready))
		}
		if notReady != nil {
			m, err := readMemory(replica.PID())
			b.say("start %d: not ready after %.1f s, VmRSS %.1f MiB, VmHWM %.1f MiB%s", i, took.Seconds(), m.resident, m.peak, verdict)
			replica.Kill()
			return nil, errors.Join(notReady, err)
		}
		b.say("start %d: ready after %.2f s%s", i, took.Seconds(), verdict)
		if i >= b.options.starts {
			return replica, nil
		}
		replica.Kill()
	}
}

// heap prints how the Go runtime sees it.
func (b *bench) heap(ctx context.Context, r *harness.Replica) error {
	raw, err := metricsOf(ctx, r)
	if err != nil {
		return err
	}
	var parts []string
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		kind, ok := strings.CutPrefix(key, "go_memstats_")
		if !ok || !strings.HasSuffix(kind, "_bytes") {
			continue
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil && n >= 1<<20 {
			parts = append(parts, fmt.Sprintf("%s %.1f", strings.TrimSuffix(kind, "_bytes"), n/(1<<20)))
		}
	}
	b.say("\nThe Go runtime of the first line's process, in MiB: %s", strings.Join(parts, ", "))
	return nil
}

// processMemory is in MiB. What is resident but not anonymous is the program's own file, which replicas on a node share.
type processMemory struct{ resident, peak, anonymous float64 }

func readMemory(pid int) (processMemory, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return processMemory{}, fmt.Errorf("reading a process's memory: %w", err)
	}
	var m processMemory
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch {
		case err != nil:
		case key == "VmRSS":
			m.resident = kib / 1024
		case key == "VmHWM":
			m.peak = kib / 1024
		case key == "RssAnon":
			m.anonymous = kib / 1024
		}
	}
	return m, nil
}

// workloads creates them up to a number: four in five are Deployments, each mounts one Secret, and in each tenth that is
// a certificate's. They are spread like the Certificates, so that a twentieth is in namespaces that have opted in.
func (b *bench) workloads(ctx context.Context, upTo int) error {
	deployment, err := newTemplate(smallWorkload("Deployment"))
	if err != nil {
		return err
	}
	statefulSet, err := newTemplate(smallWorkload("StatefulSet"))
	if err != nil {
		return err
	}
	daemonSet, err := newTemplate(smallWorkload("DaemonSet"))
	if err != nil {
		return err
	}
	start, before := time.Now(), b.filling.workloads
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(2 * creators)
	for ; b.filling.workloads < upTo; b.filling.workloads++ {
		i := b.filling.workloads
		secret := fmt.Sprintf("password-%d", i)
		if i/fillNamespaces%10 == 0 && b.filling.spread >= fillNamespaces {
			perNamespace := b.filling.spread / fillNamespaces
			secret = fmt.Sprintf("fill-%d-tls", i%fillNamespaces+i/fillNamespaces/10%perNamespace*fillNamespaces)
		}
		resource, kind := "deployments", deployment
		switch i / fillNamespaces % 10 {
		case 3:
			resource, kind = "statefulsets", statefulSet
		case 7:
			resource, kind = "daemonsets", daemonSet
		}
		g.Go(func() error {
			body := bytes.ReplaceAll(kind.named(fmt.Sprintf("workload-%d", i)), []byte(certificateSecret), []byte(secret))
			raw, err := b.cluster.Client.CoreV1().RESTClient().Post().AbsPath("/apis/apps/v1/namespaces", fillNamespace(i), resource).
				SetHeader("Content-Type", "application/json").Body(body).DoRaw(inner)
			if err != nil {
				return fmt.Errorf("creating workload %d: %w: %s", i, err, raw)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	b.say("\n%d workloads created in %s", b.filling.workloads-before, time.Since(start).Round(100*time.Millisecond))
	return nil
}

// smallWorkload leaves one container and the certificate's volume, and turns the Deployment into another kind.
func smallWorkload(kind string) func(map[string]any) {
	return func(d map[string]any) {
		d["kind"] = kind
		spec, pod := at(d, "spec"), at(d, "spec", "template", "spec")
		spec["replicas"] = 0
		if kind != "Deployment" {
			delete(spec, "strategy")
			delete(spec, "progressDeadlineSeconds")
		}
		switch kind {
		case "StatefulSet":
			spec["serviceName"] = "shop"
		case "DaemonSet":
			delete(spec, "replicas")
		}
		if containers, ok := pod["containers"].([]any); ok {
			pod["containers"] = containers[:1]
		}
		var kept []any
		for _, v := range volumes(d) {
			if v["secret"] != nil && at(v, "secret")["secretName"] != certificateSecret {
				v["configMap"] = map[string]any{"name": "shop"}
				delete(v, "secret")
			}
			kept = append(kept, v)
		}
		pod["volumes"] = kept
	}
}

// quiet waits until the cluster writes next to nothing: what adoption and controllers do next must not be in the numbers.
func (b *bench) quiet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	const perSecond = 5
	last, when := uint64(0), time.Now()
	return poll(ctx, func() (bool, error) {
		if last > 0 && time.Since(when) < 2*time.Second {
			return false, nil
		}
		list, err := b.cluster.Client.AppsV1().Deployments(noWebhook.namespace()).List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return false, fmt.Errorf("asking for the cluster's revision: %w", err)
		}
		revision, err := strconv.ParseUint(list.ResourceVersion, 10, 64)
		if err != nil {
			return false, fmt.Errorf("reading the cluster's revision: %w", err)
		}
		writes, seconds := float64(revision-last), time.Since(when).Seconds()
		first := last == 0
		last, when = revision, time.Now()
		return !first && writes/seconds < perSecond, nil
	})
}
