# The chores of this repository. `make` alone lists them.

.DEFAULT_GOAL := help

GO ?= go

# The race detector needs a C compiler on Linux. Tests run without it where there is none.
RACE ?= $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

# The version is pinned, so that a new check never breaks an old commit.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Modules of their own, whose dependencies never reach a user of Stem.
NESTED := $(patsubst %/go.mod,%,$(wildcard bench/go.mod bench/*/go.mod stemgen/*/go.mod))

# How long make fuzz-smoke fuzzes each target.
FUZZTIME ?= 5s

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: servers
servers: ## Find the servers that the tests start, or install them
	@.ci/servers

.PHONY: test
test: servers ## Run the tests, with the race detector where there is a C compiler
	$(if $(RACE),,@echo "no C compiler: testing without the race detector")
	$(GO) test $(RACE) ./...

.PHONY: lint
lint: fmt-check vet staticcheck ## Check format, vet, staticcheck, and golangci-lint where it is installed
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; \
	else echo "golangci-lint is not installed: skipped"; fi

.PHONY: fmt-check
fmt-check: ## List files that gofmt would change
	@files=$$(gofmt -l -s .) && if [ -n "$$files" ]; then echo "run gofmt -s -w on:"; echo "$$files"; exit 1; fi

.PHONY: vet
vet: ## Run go vet in every module
	$(GO) vet ./...
	@set -e; for m in $(NESTED); do echo "$$m: go vet ./..."; (cd $$m && $(GO) vet ./...); done

.PHONY: staticcheck
staticcheck: ## Run staticcheck in every module
	$(GO) run $(STATICCHECK) ./...
	@set -e; for m in $(NESTED); do echo "$$m: staticcheck ./..."; (cd $$m && $(GO) run $(STATICCHECK) ./...); done

.PHONY: generate
generate: ## Write the generated files anew
	$(GO) generate ./...
	cd bench && $(GO) generate ./...

.PHONY: generated-check
generated-check: ## Check that the generated files are what stemgen writes
	$(GO) run ./cmd/stemgen -check ./...
	cd bench && $(GO) tool stemgen -check ./...

.PHONY: golden
golden: ## Write the generator's goldens, and what its page on diagnostics shows, anew; read that diff as code
	$(GO) test ./stemgen/... -update
	$(GO) test ./cmd/stemgen -run DiagnosticsPage -update

.PHONY: tidy-check
tidy-check: ## Check go.mod and go.sum of every module
	$(GO) mod tidy -diff
	@set -e; for m in $(NESTED); do echo "$$m: go mod tidy -diff"; (cd $$m && $(GO) mod tidy -diff); done

.PHONY: nested
nested: servers ## Build and test the nested modules
	@set -e; for m in $(NESTED); do echo "$$m: go build, go test"; (cd $$m && $(GO) build -o /dev/null ./... && $(GO) test ./...); done

# What make bench compares: quick (less than five minutes), full (hours), or the flags of bench/ themselves.
BENCH ?= full

.PHONY: bench
bench: servers ## Compare Stem with its peers: BENCH=quick in five minutes, or in full; tables, JSON and benchstat's lines go to bench/results
	cd bench && $(GO) run . -keep results $(if $(filter quick,$(BENCH)),-quick,$(if $(filter full,$(BENCH)),,$(BENCH)))

.PHONY: microbench
microbench: servers ## Run the benchmarks of the packages, and the codec beside others
	$(GO) test -run '^$$' -bench . -benchmem ./...
	cd bench/codec && $(GO) run .

# How much make chaos lets go wrong: short (three minutes), full (an hour), or the flags of internal/chaos.
CHAOS ?= short

.PHONY: chaos
chaos: servers ## Let things go wrong, and tell what became of the tasks: CHAOS=short in three minutes, or full
	$(GO) run ./internal/chaos $(if $(filter short,$(CHAOS)),,$(if $(filter full,$(CHAOS)),-count 10 -scale 10 -outage 30s,$(CHAOS)))

# The flags of bench/faults, such as -fault '^2' -system 'river|pg-stem'.
CHAOS_PEERS ?=

.PHONY: chaos-peers
chaos-peers: servers ## Let the same things go wrong for Stem, asynq and River, in less than five minutes; CHAOS_PEERS has flags of bench/faults
	cd bench && $(GO) run ./faults $(CHAOS_PEERS)

# How long make soak soaks each store.
SOAK ?= 1h

.PHONY: soak
soak: servers ## Load each store for SOAK (1h), with faults now and then, and check that nothing is lost and nothing grows
	$(GO) test ./internal/soak -count 1 -timeout 0 -v -run '^TestSoak$$' -soak $(SOAK)

.PHONY: cover
cover: servers ## Measure what the tests of all packages cover, into cover.out
	$(GO) test -coverpkg=./... -coverprofile=cover.out ./...
	@$(GO) tool cover -func=cover.out | tail -n 1
	@echo "see it with: $(GO) tool cover -html=cover.out"

.PHONY: fuzz-smoke
fuzz-smoke: ## Fuzz every target for FUZZTIME (5s)
	@list=$$($(GO) test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
	echo "$$list" | awk '/^Fuzz/ { f[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, f[i]; n = 0 }' | \
	while read -r pkg target; do \
		echo "$$pkg $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	done
