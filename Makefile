# Everything this repository can do. `make` alone lists it.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c

FRAMEWORK      ?= nethttp
ADDR           ?= 127.0.0.1:8080
FUZZTIME       ?= 1m
FUZZTIME_SHORT ?= 3s
BENCH          ?= .
BENCH_ROUNDS   ?= 3
BENCH_TIME     ?= 3s
BENCH_ONLY     ?=
BENCH_FLAGS    ?=
SOAKTIME       ?= 10m

PLAIN := ^Test(OfficialClients|Chaos|SlowClient|Streams|Storm|Broadcast|SocketUpgrade|PerMessageDeflate)$$

# The version is part of the file name, so that a new one is installed when it changes here.
GOLANGCI_VERSION    := v2.15.0
GOLANGCI            := bin/golangci-lint-$(GOLANGCI_VERSION)
GOVULNCHECK_VERSION := v1.8.0
GOVULNCHECK         := bin/govulncheck-$(GOVULNCHECK_VERSION)

CHAT_MODULES := examples/chat/node_modules/.package-lock.json
TEST_MODULES := integration_test/js/node_modules/.package-lock.json
BENCH_MODULES := bench/node/node_modules/.package-lock.json

GOFILES = find . \( -name node_modules -o -name .git -o -name bin \) -prune -o -name '*.go' -print0

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(CHAT_MODULES) ## Install what the chat needs, run it and print its address (FRAMEWORK, ADDR)
	go run ./examples/chat -framework $(FRAMEWORK) -addr $(ADDR)

# With the race detector, connections make other system calls and pools lose what they are given, so what
# depends on that is tested once more without (PLAIN).
# EIO_REQUIRE_ALL makes a test that lacks its browser or its JavaScript clients fail, where it would
# be skipped under a bare `go test`; testlog.awk fails on whatever is skipped there all the same.
.PHONY: test
test: tools $(CHAT_MODULES) $(TEST_MODULES) ## Install what the tests need, run all of them, then every fuzz target shortly (FUZZTIME_SHORT)
	EIO_REQUIRE_ALL=1 go test -race -count=1 -timeout=15m -v ./... | awk -f scripts/testlog.awk
	go test -count=1 -v ./core ./engines/... ./internal/wire ./internal/fastws ./adapters/... | awk -f scripts/testlog.awk
	EIO_REQUIRE_ALL=1 go test -count=1 -timeout=15m -v -run='$(PLAIN)' ./integration_test | awk -f scripts/testlog.awk
	cd bench && go test -count=1 ./...
	scripts/fuzz.sh $(FUZZTIME_SHORT)

.PHONY: lint
lint: $(GOLANGCI) ## Check formatting, go vet for three systems, golangci-lint, licences and versions of dependencies
	@unformatted=$$($(GOFILES) | xargs -0 -r gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	GOOS=darwin CGO_ENABLED=0 go vet ./...
	GOOS=windows CGO_ENABLED=0 go vet ./...
	$(GOLANGCI) run ./...
	cd bench && go vet ./... && ../$(GOLANGCI) run ./...
	go test -count=1 -run='Licences|Advisories' ./internal/archtest

# Not part of continuous integration: it asks vuln.go.dev, and fails when that cannot be reached.
.PHONY: vuln
vuln: $(GOVULNCHECK) ## Look up known vulnerabilities of what is linked, over the network
	$(GOVULNCHECK) -test ./...

.PHONY: bench
bench: ## Run the benchmarks, with their allocations (BENCH, a pattern)
	go test -run='^$$' -bench='$(BENCH)' -benchmem ./...

# BENCH_FLAGS=-quick tries everything in a minute or two and writes to artifacts/bench.
.PHONY: bench-report
bench-report: $(BENCH_MODULES) ## Measure against the floor servers and the npm reference, write bench/RESULTS.md (BENCH_ROUNDS, BENCH_TIME, BENCH_ONLY, a pattern)
	cd bench && go build -o ../bin/bench-report ./cmd/report
	cd bench && exec ../bin/bench-report -rounds $(BENCH_ROUNDS) -time $(BENCH_TIME) -only '$(BENCH_ONLY)' $(BENCH_FLAGS)

.PHONY: soak
soak: ## Keep servers of all frameworks busy for SOAKTIME, check that memory is flat, plot it to artifacts/soak.png
	EIO_SOAK=$(SOAKTIME) go test -tags=soak -count=1 -timeout=0 -run='^TestSoak$$' -v ./integration_test
	cd bench && go run ./cmd/plot -in ../artifacts/soak.csv -out ../artifacts/soak.png \
		-title "Soak: clients and servers in one process" -x seconds -y MiB -right goroutines -right sessions

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME each
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: fmt
fmt: ## Format all Go files
	$(GOFILES) | xargs -0 -r gofmt -w

.PHONY: clean
clean: ## Remove what these targets built and installed in this folder
	rm -rf bin artifacts echo chat
	find . -name node_modules -prune -exec rm -rf {} +
	find . -name .git -prune -o -path ./bench/profiles -prune -o \( -name '*.test' -o -name '*.prof' -o -name '*.pprof' \) -type f -exec rm -f {} +

# A C compiler for the race detector, a browser for the browser tests, and the reverse proxies that
# docs/deploy.md is about. Only the programs are needed: where packages start what they install, these
# services may be stopped.
.PHONY: tools
tools:
	@scripts/need.sh "gcc libc6-dev" "$$(go env CC | cut -d' ' -f1)"
	@scripts/need.sh chromium "$${CHROME_BIN:-chromium}" chromium chromium-browser google-chrome
	@PATH="$$PATH:/usr/sbin" scripts/need.sh nginx nginx
	@PATH="$$PATH:/usr/sbin" scripts/need.sh haproxy haproxy
	@PATH="$$PATH:/usr/sbin" scripts/need.sh caddy caddy

# npm writes this file last; touching it keeps it newer than the lock whatever the files' own times.
%/node_modules/.package-lock.json: %/package-lock.json %/package.json
	cd $* && npm ci --no-audit --no-fund
	@touch $@

$(GOLANGCI):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv bin/golangci-lint $@

$(GOVULNCHECK):
	GOBIN=$(CURDIR)/bin go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv bin/govulncheck $@
