# Everything that a newcomer or the CI needs. `make demo` and `make test` work in a fresh clone.
GO      ?= go
TOOL    := $(GO) tool -modfile=deploy/tools/go.mod
PKGS    ?= ./...
ARGS    ?=
KILLS   ?= 100
SEEDS   ?= 20
SEED    ?= 1
MVN     := $(shell command -v java >/dev/null && command -v mvn)

.PHONY: all demo test test-deploy soak build profile setup setup-kafka setup-schema lint format generate bench clean
all: build

demo: build ## run the whole engine on a simulated day (ARGS="--once" ends by itself); needs no Java
	bin/otklik demo $(ARGS)

test: setup setup-kafka setup-schema test-deploy ## all tests, with the real ClickHouse and the real Kafka required
	GO=$(GO) OTKLIK_INTEGRATION=required $(TOOL) gotestsum --format pkgname --raw-command -- deploy/tools/gotest.sh $(PKGS)

# Without vet and optimisation, which would take longer than the tests: Helm brings much of Kubernetes along.
test-deploy: ## the compose file, the image and the chart, in a module of its own
	cd deploy/deploytest && CGO_ENABLED=0 $(GO) test -vet=off -gcflags='all=-N -l' -ldflags=-w -count=1 -timeout=10m ./...

soak: setup ## the crash tests many times over: KILLS=100 SEEDS=20 SEED=1, any of them
	OTKLIK_INTEGRATION=required OTKLIK_KILLS=$(KILLS) OTKLIK_SEEDS=$(SEEDS) OTKLIK_SEED=$(SEED) \
		$(GO) test -v -count=1 -timeout=90m -run='^Test(Kill|Torn|Zombie|RollRestarts)' ./cmd/otklik ./cmd/otklik/internal/enginetest

build: setup ## bin/otklik
	CGO_ENABLED=0 $(GO) build -trimpath -pgo=deploy/otklik.pgo -o bin/otklik ./cmd/otklik

# Not as cmd/otklik/default.pgo: that one has the tests compile every package twice, with it for those of the program and without it for themselves.
profile: build ## deploy/otklik.pgo, the profile that the compiler optimises for; make it anew when the way of a record has changed much
	rm -rf bin/profile
	for naming in 1 0.25; do \
		bin/otklik bench -n 600000 --latency 0 --naming $$naming --profile bin/profile/$$naming || exit 1; done
	cd deploy/tools && $(GO) run ./profile -o ../otklik.pgo ../../bin/profile/*/cpu.pprof

setup: deploy/embedded/node_modules/.package-lock.json ## the ClickHouse library, only when its lock file has changed

setup-schema: dashboards/schema/node_modules/.package-lock.json ## Grafana's types and the compiler that checks dashboards, for the tests

deploy/embedded/node_modules/.package-lock.json: deploy/embedded/package-lock.json
	npm ci --prefix deploy/embedded --no-audit --no-fund
	@touch $@

dashboards/schema/node_modules/.package-lock.json: dashboards/schema/package-lock.json
	npm ci --prefix dashboards/schema --no-audit --no-fund
	@touch $@

setup-kafka: ## the jars of a real Kafka, for the tests
ifeq ($(MVN),)
	@echo "make test: the tests run a real Kafka and need Java 17 or newer and Maven on the PATH; make demo does not" >&2; exit 1
endif
	deploy/kafka/setup.sh

lint: ## formatting, go vet and every linter of .golangci.yml; the first run builds them (minutes)
	$(TOOL) golangci-lint run $(PKGS)

format: ## gofumpt and import order
	$(TOOL) golangci-lint fmt $(PKGS)

generate: ## regenerate what is generated; a test says when that is needed
	$(GO) generate $(PKGS)

bench: build ## the speed figures of the README, on this machine
	bin/otklik bench $(ARGS)

clean: ## what make has built; data folders stay
	rm -rf bin
