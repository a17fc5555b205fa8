# The tools are built from the versions pinned in tools/go.mod. Nothing else is
# installed.
# `make` without a target lists the targets. `make check` is what CI runs.

SHELL := bash
.DEFAULT_GOAL := help

# The product does not use cgo, so everything is compiled without it, and only
# once. Only the race detector needs cgo. With -trimpath, a clone in another
# folder and the release build can reuse what was compiled before.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath

FUZZTIME ?= 10s
# `make size` builds linux/amd64.
PLATFORMS := linux/arm64 linux/arm darwin/arm64 windows/amd64
# Every module of this repository. The module of the product is ".", and it
# comes first.
MODULES := $(sort $(patsubst %/,%,$(dir $(shell find . -name go.mod -not -path '*/testdata/*' -not -path '*/node_modules/*'))))
TOOL := go tool -modfile=$(CURDIR)/tools/go.mod
each_module = for module in $(1); do echo "-- $$module: $(2)"; (cd $$module && $(2)) || exit 1; done

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## start the server with its defaults; ARGS adds flags
	go run ./cmd/web-backend serve $(ARGS)

# --- tests -------------------------------------------------------------------

.PHONY: test
test: ## run the tests of every module
	go test ./...
	@$(MAKE) --no-print-directory test-tools

# -count=1 is needed because these tests read files of the product, and the test
# cache of Go does not notice when such files change.
.PHONY: test-tools
test-tools: ## run the tests of the other modules, including OpenAPI validation
	@$(call each_module,$(filter-out .,$(MODULES)),go test -count=1 ./...)

# These tests are skipped because they take long and do one thing after the
# other, so the race detector would find nothing in them. `go test ./...` runs
# them.
RACE_SKIP_STORES := TestDamagedFiles|TestCheckBackup_TooMuch.*|TestSharing_(AKilled|Different).*|TestCrash_.*|TestFaults_.*
RACE_SKIP_PAGES := TestGoldenOpenAPI|TestAccess_.*|TestBody_LargeIsNotShown|TestHostileFields|TestSecurityDoc_.*|TestMotion_EverythingIsOnSomePage|TestPages_AreStrictAndSmall|TestCharacter_ChangesAreBounded
# SQLite itself is compiled without the race detector. It is C code translated
# to Go, and each connection has its own memory, which only the holder of the
# connection uses. With the detector in SQLite, the tests take three times as
# long.
RACE_FLAGS := -gcflags=github.com/ncruces/go-sqlite3-wasm/v6=-race=false
RACE_PACKAGES = $$(go list ./... | grep -vE '/(cmd/web-backend|internal/(cli|apidocs|npz|config/pyconfig|motion/demo|motion/motionpb|store/mongo/(conformance|mongotest)))$$')
# Most tests of the program and of the promises on MongoDB do one thing after the
# other. These do not.
RACE_SOME := ^Test(Kill|MongoDB|Stop)_|^TestStore$$/^Race_

.PHONY: race
race: ## run the product's tests under the race detector
	@command -v "$$(go env CC)" >/dev/null || { echo 'make race: the race detector needs a C compiler, and there is no '"$$(go env CC)" >&2; exit 1; }
	CGO_ENABLED=1 go test -race $(RACE_FLAGS) -timeout 30m -skip '^($(RACE_SKIP_STORES)|$(RACE_SKIP_PAGES))$$' $(RACE_PACKAGES)
	CGO_ENABLED=1 go test -race $(RACE_FLAGS) -timeout 30m -run '$(RACE_SOME)' ./cmd/web-backend ./internal/store/mongo/conformance

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@tools/fuzz.sh $(FUZZTIME)

.PHONY: golden
golden: ## rewrite the golden files; read the diff before you commit it
	go test ./internal/api -run Golden -update

.PHONY: pictures
pictures: ## take the pictures of the documents again; needs Chromium and a Chinese font
	cd tools/browser && TEST_BROWSER_REQUIRED=1 go test -count=1 -run '^TestPictures' . -pictures

# TORTURE_SEED=N repeats a run.
.PHONY: torture
torture: ## break the server on purpose, thousands of times, about two hours; writes docs/torture.md
	TORTURE=long go test -count=1 -timeout 1h -v -run '^Test(Crash|Faults)_' ./internal/store/mongo
	TORTURE=long go test -count=1 -v -run '^Test(DamagedFiles|Sharing_UpgradesAnOlderDatabase)$$' ./internal/store/sqlite
	go test -count=20 -timeout 1h -run '/^Race_' ./internal/store/...
	cd torture && TORTURE=long go test -tags failpoints -count=1 -timeout 6h -v .

.PHONY: torture-short
torture-short: ## run the short form of torture, as CI does
	cd torture && go test -tags failpoints -count=1 -timeout 15m -v .

.PHONY: bounds
bounds: ## attack the server with expensive requests, and print the time and memory used
	cd torture && go test -tags failpoints -count=1 -timeout 15m -v -run '^TestBounds_' .

.PHONY: proto
proto: ## generate the Go code of the .proto files
	cd tools && go run ./protobuf

# --- benchmarks --------------------------------------------------------------

# The first run creates the crowds of users in bench/.data. They take about 3
# GB, and the run takes minutes.
.PHONY: bench
bench: ## measure against the limit and a peer, about 10 minutes; WORK names one group, which is only printed
	cd bench && go run . $(if $(WORK),-work $(WORK))

# --- checks ------------------------------------------------------------------

.PHONY: fmt
fmt: ## format the code and sort its imports
	@$(call each_module,$(MODULES),$(TOOL) golangci-lint fmt)

.PHONY: lint
lint: ## check the code against .golangci.yml, including go vet and the format of `make fmt`
	@$(call each_module,$(MODULES),$(TOOL) golangci-lint run ./...)

.PHONY: tidy
tidy: ## fail if go.mod or go.sum of a module is not tidy
	@$(call each_module,$(MODULES),go mod tidy -diff)

.PHONY: vuln
vuln: ## fail if the product uses code with a known vulnerability
	@tools/vuln.sh

.PHONY: docs-check
docs-check: ## fail if the embedded API documentation differs from its packages
	@tools/docs-check.sh

.PHONY: cross
cross: ## build the program for the other platforms
	@for platform in $(PLATFORMS); do \
	  echo "-- $$platform"; \
	  GOOS=$${platform%/*} GOARCH=$${platform#*/} go build -o /dev/null ./cmd/web-backend || exit 1; \
	done

.PHONY: size
size: ## fail if the stripped binary has more than 35 MB
	@tools/size.sh

# The first run compiles everything for each platform, which takes minutes.
.PHONY: dist
dist: ## build the binaries of a release into dist/, reproducibly
	@tools/packages/dist.sh dist

# The product's own tests compare the golden files. Two steps run at the same
# time, because some steps wait for a browser or a database. The longest steps
# come first. Each line of output begins with the name of its step.
CHECKS := torture-short test-tools race lint cross size docs-check tidy vuln

.PHONY: check
check: ## all that CI runs
	@$(MAKE) --no-print-directory -j2 $(CHECKS:%=check-%)

check-%:
	@set -o pipefail; start=$$SECONDS; \
	  $(MAKE) --no-print-directory $* 2>&1 | sed -u 's/^/$*: /'; status=$$?; \
	  echo "$*: ended with status $$status after $$((SECONDS - start)) s"; exit $$status
