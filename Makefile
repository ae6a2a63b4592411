# Every target is one line in `make help`: the text after the two hash signs.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 10s
LINT     := go tool -modfile=tools/go.mod golangci-lint

.DEFAULT_GOAL := help
.PHONY: help run build test race races faults lint fmt generate docs conformance fuzz bench vuln check clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the zero-setup machine: its own Postgres, keys and mail inbox.
	go run . dev

build: ## Build the static, stamped binary bin/postern.
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/postern .

# GOGC: a third of the processor's time went to collecting garbage.
test: ## Run all tests. They bring their own Postgres; nothing has to run.
	GOGC=300 go test -timeout 25m ./...

race: ## Run all tests with the race detector (needs a C compiler).
	CGO_ENABLED=1 go test -race -timeout 60m ./...

races: ## Race refresh tokens, one-time secrets and callbacks in full size: 10,000 times (minutes).
	POSTERN_RACES=$${POSTERN_RACES:-10000} go test -count=1 -v -timeout 60m -run '^Test(Race|T09|T31)' ./server/hasura

faults: ## Kill the server with kill -9 in full size: 200 times (minutes).
	POSTERN_FAULTS=$${POSTERN_FAULTS:-200} go test -count=1 -v -timeout 60m ./internal/faults

lint: ## Run go vet and golangci-lint (the first run builds the linter: minutes).
	go vet ./...
	$(LINT) run

fmt: ## Format the code as lint wants it.
	$(LINT) fmt

generate: ## Write what is made from code and schema: settings, example.env, errors, events, hooks, the executor of GraphQL.
	go tool gqlgen generate --config gqlgen.yml
	go test -count=1 -run '^TestGenerated' ./config ./events ./graph ./house ./providers ./server/hasura -update

docs: ## Fail when a generated page, or the executor of GraphQL, is not what generate would write.
	@before=$$(mktemp -d) && cp graph/wire/*.go $$before && go tool gqlgen generate --config gqlgen.yml && \
	  for f in graph/wire/*.go; do diff -u $$before/$$(basename $$f) $$f || exit 1; done
	go test -count=1 -run '^TestGenerated' ./config ./events ./graph ./house ./providers ./server/hasura

conformance: build ## Drive the real npm clients against the built binary (needs Node).
	conformance/run

fuzz: ## Fuzz every target for FUZZTIME (10s) each.
	@set -e; grep -rlE --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
	    echo "== $$(dirname "$$file") $$target"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null; \
	  done; \
	done

bench: ## Measure sign-in, refresh and get user beside their ceilings.
	go run ./internal/bench

vuln: ## Look for known vulnerabilities in what is linked (asks vuln.go.dev).
	go tool -modfile=tools/go.mod govulncheck ./...

check: ## Everything CI runs.
	.ci/run

clean: ## Remove the binary. Data under .postern/ stays.
	rm -rf bin
