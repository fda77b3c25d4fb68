# make help lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# The agent talks to its own pod alone, in HTTP/1.1; without HTTP/2 it is half a megabyte smaller, on disk and in memory.
AGENT_TAGS := nethttpomithttp2
BIN    ?= bin
IMAGES ?= ghcr.io/certwire
# No paths of this machine, and no stamp but the version: the same commit makes the same bytes, with its history or without.
GO_BUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"
LINT    := .cache/bin/golangci-lint
GEN     := .cache/bin/controller-gen
# What a run of the fuzzers adds to the committed seeds; the seeds themselves run with every test.
FUZZ_TIME ?= 10s
# -v shows what the tests on the node measure. Without it, what a test says stands where it failed, and not among the others'.
TEST_FLAGS ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build build-webhook build-agent build-cli
build: build-webhook build-agent build-cli ## build the webhook, the agent and the kubectl plugin into bin/
build-webhook:
	$(GO_BUILD) -o $(BIN)/webhook ./cmd/webhook
build-agent:
	$(GO_BUILD) -tags $(AGENT_TAGS) -o $(BIN)/agent ./cmd/agent
build-cli:
	$(GO_BUILD) -o $(BIN)/kubectl-certwire ./cmd/kubectl-certwire

# The commit's time is every file's, so that the same commit makes the same layers.
.PHONY: images
images: build ## make the images of both from bin/, with docker, podman or buildah, whichever works
	@epoch=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)}; revision=$$(git rev-parse HEAD); platform=linux/$$(go env GOARCH); \
	if docker info > /dev/null 2>&1; then build="env SOURCE_DATE_EPOCH=$$epoch docker build"; \
	elif command -v podman > /dev/null; then build="podman build --timestamp $$epoch"; \
	elif command -v buildah > /dev/null; then build="buildah build --timestamp $$epoch"; \
	else echo "making images needs docker, podman or buildah" >&2; exit 1; fi; \
	for name in webhook agent; do \
	  touch -d "@$$epoch" $(BIN)/$$name; \
	  $$build --platform $$platform --target $$name --build-arg VERSION=$(VERSION) --build-arg REVISION=$$revision \
	    -f Dockerfile.binaries -t $(IMAGES)/$$name:$(VERSION) $(BIN); \
	done

.PHONY: demo
demo: ## play the story on a control plane of its own, and leave it running until Ctrl-C
	@go run ./test/demo

.PHONY: test
test: lint control-plane cert-manager ## lint, fuzz a little, and run every test, those on a real API server included
	go -C test/cluster test ./...
	go -C test/certmanager test ./...
	go -C test/boulder test -v ./...
	@out=$$(mktemp); trap 'rm -f "$$out"' EXIT; for target in $$(grep -rhoE '^func Fuzz[A-Za-z]+' --include=*_test.go pkg cmd | sed 's/func //' | sort -u); do \
	  for package in $$(grep -rlE "^func $$target\(" --include=*_test.go pkg cmd | xargs -n1 dirname | sort -u); do \
	    echo "fuzzing $$package $$target for $(FUZZ_TIME)"; \
	    go test ./$$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 20x > "$$out" || { cat "$$out"; exit 1; }; \
	  done; \
	done
	go test ./certs/... ./cmd/... ./pkg/... ./test/golden ./test/harness ./test/servers
	go test -count=1 $(TEST_FLAGS) -timeout 30m ./test/node
	go test -count=1 $(TEST_FLAGS) -timeout 30m ./test/delivery
	go test -count=1 $(TEST_FLAGS) -timeout 10m ./test/presets
	go test -count=1 ./test/alerts
	go test -count=1 $(TEST_FLAGS) -timeout 30m ./test/agent
	go test -count=1 $(TEST_FLAGS) -p 1 -timeout 40m ./test/demo ./test/e2e ./test/issuance

.PHONY: control-plane
control-plane: ## build etcd, the API server, the kubelet and kubectl for the tests (minutes the first time)
	@go -C test/cluster run . --node --build-only > /dev/null

.PHONY: cert-manager
cert-manager: ## build cert-manager's controllers and an ACME server for the tests (minutes the first time)
	@mkdir -p .cache/bin
	@CGO_ENABLED=0 go -C test/certmanager build -v -o ../../.cache/bin/certmanager .
	@cd test/certmanager && ../../.cache/bin/certmanager --build-only

.PHONY: lint
lint: $(LINT) generated ## run the linters, and see that generated code is current
	go vet ./...
	$(LINT) run ./...
	cd test/cluster && ../../$(LINT) run --config ../../.golangci.yml ./...
	cd test/certmanager && ../../$(LINT) run --config ../../.golangci.yml ./...
	cd test/boulder && ../../$(LINT) run --config ../../.golangci.yml ./...

$(LINT): tools/go.mod tools/go.sum
	@echo "building golangci-lint (minutes the first time)"
	@mkdir -p .cache/bin
	@cd tools && go build -o ../$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# What controller-gen makes is made once more into a temporary folder. A CRD that no type has any more shows up, too. The
# one of deliveries belongs to their component: kustomize takes no file from outside of it.
.PHONY: generated
generated: $(GEN)
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(GEN) object paths=./pkg/apis/v1alpha1 output:object:dir="$$fresh/v1alpha1"; \
	$(GEN) crd paths=./pkg/apis/... output:crd:dir="$$fresh/crds"; \
	mv "$$fresh/crds/certwire.dev_certificatedeliveries.yaml" "$$fresh/delivery.yaml"; \
	{ diff -u pkg/apis/v1alpha1/zz_generated.deepcopy.go "$$fresh/v1alpha1/zz_generated.deepcopy.go" && \
	  diff -u manifests/components/delivery/crd.yaml "$$fresh/delivery.yaml" && \
	  diff -ru manifests/base/crds "$$fresh/crds"; } || \
	{ echo "pkg/apis and what is generated from it differ: run make generate" >&2; exit 1; }

$(GEN): tools/gen/go.mod tools/gen/go.sum
	@echo "building controller-gen"
	@mkdir -p .cache/bin
	@cd tools/gen && go build -o ../../$(GEN) sigs.k8s.io/controller-tools/cmd/controller-gen

.PHONY: bench
bench: control-plane ## measure latency, memory, the budgets, the agent, deliveries and the cost of one review; prints tables (about an hour)
	go test ./pkg/acme ./pkg/ledger ./pkg/admission -run '^$$' -bench . -benchmem
	go run ./test/bench --agent --full
	go run ./test/bench --meter --full
	go run ./test/bench --delivery
	go run ./test/bench --full

.PHONY: generate
generate: control-plane $(GEN) ## write what is made from other files: CRDs, deep copies, rendered manifests, rules page, golden files, transcript
	$(GEN) object paths=./pkg/apis/...
	$(GEN) crd paths=./pkg/apis/... output:crd:dir=manifests/base/crds
	mv manifests/base/crds/certwire.dev_certificatedeliveries.yaml manifests/components/delivery/crd.yaml
	"$$(go -C test/cluster run . --build-only)/kubectl" kustomize manifests/ > manifests/install.yaml
	UPDATE_GOLDEN=true go test ./pkg/policy ./pkg/mutate ./pkg/front ./pkg/diagnose ./cmd/kubectl-certwire/... ./test/alerts > /dev/null
	UPDATE_GOLDEN=true go test ./test/demo > /dev/null

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .cache
