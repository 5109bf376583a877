# Every target is one that people type; CI calls the same.
.DEFAULT_GOAL := help
STORE ?= sqlite

## run      build all and start the server on the embedded store, with a first outlet
run: build
	@integration/run.sh

## demo     the whole path by itself: enrol, negotiate, read from C, verify, view, revoke (STORE=postgres for PostgreSQL)
demo: build
	@STORE=$(STORE) integration/demo.sh

## build    both programs, into bin/
build:
	@mkdir -p bin
	go build -trimpath -o bin/hufu ./nativeclient
	go build -trimpath -o bin/hufu-server ./server

## test     every test; installs what is missing as root on Debian, else says what to install (RACE=1 for the race detector)
test:
	@integration/needs.sh
	@integration/test.sh

## crash    the crash tests in their full number: programs killed -9 at random, about ten minutes
crash:
	CRASH=full go test ./shm ./integration -run 'Killed' -count=1 -v -timeout 60m

## lint     formatting, go vet and staticcheck, for native and for js/wasm
lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run: gofmt -w ."; exit 1; }
	go vet ./...
	GOOS=js GOARCH=wasm go vet ./shared/wire ./shared/kex ./shared/client
	go build -o bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...
	GOOS=js GOARCH=wasm bin/staticcheck ./shared/wire ./shared/kex ./shared/client

## fuzz     every fuzzer for FUZZTIME, 10s by default
fuzz:
	@integration/fuzz.sh

## vectors  write the protocol's test vectors and golden bytes anew
vectors:
	go test ./shared/wire ./shared/kex -run 'TestGolden|TestVectors' -count=1 -update

## clean    remove what was built and the folder of make run
clean:
	rm -rf bin run

## help     this list
help:
	@sed -n 's/^## /  make /p' $(MAKEFILE_LIST)

.PHONY: run demo build test crash lint fuzz vectors clean help
