# make build   the program, as ./claimproxy
# make demo    everything to try it out, on this machine alone
# make test    all checks and all tests, after installing what they need
# make fuzz    every fuzz target for a minute, or for what FUZZ says
#
# Go alone suffices for "go build ./cmd/claimproxy" and for "go test ./...", which
# skips the tests that need more.

VERSION ?=
GO      ?= go

.PHONY: build demo test check deps fuzz

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o claimproxy ./cmd/claimproxy

demo:
	$(GO) run ./cmd/claimproxy demo

test: deps check
	$(GO) test -race -timeout 15m ./...
	@if [ -n "$$CI" ]; then GO=$(GO) .ci/fuzz 5s; fi

# Everything that looks at the code without running it.
check:
	@unformatted="$$(gofmt -l cmd policy proxy session)"; \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool -modfile=.ci/tools.mod staticcheck ./...

# What the tests need and the machine lacks: Debian packages (with sudo when not
# root) and the npm package oidc-provider.
deps:
	@.ci/install

# Each fuzz target for FUZZ, and those where strangers write first for a minute.
FUZZ ?= 1m
fuzz:
	@GO=$(GO) .ci/fuzz $(FUZZ)
