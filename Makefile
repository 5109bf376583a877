# Every target is one that people type; CI calls the same.
.DEFAULT_GOAL := help
STORE ?= sqlite
# The commit goes into the programs also where GOFLAGS leaves it out.
BUILD = go build -trimpath -buildvcs=auto
CROSS = CGO_ENABLED=0 $(BUILD)

## run      build all and start the server on the embedded store, with an operator and a few outlets
run: build
	@HUFU_CONFIG=/dev/null integration/run.sh

## demo     the whole path by itself: enrol, negotiate, read from C, verify, view, revoke (STORE=postgres for PostgreSQL)
demo: build
	@STORE=$(STORE) HUFU_CONFIG=/dev/null integration/demo.sh

## wasm     the client for the browser and the console, compressed, into static/dist (QUALITY=11 as in a release: takes half a minute)
QUALITY ?= 9
wasm:
	go run ./static/build -quality $(QUALITY)

## build    both programs, the console within, into bin/
build: wasm
	@mkdir -p bin
	$(BUILD) -o bin/hufu ./nativeclient
	$(BUILD) -o bin/hufu-server ./server

## cross    hufu for Linux, macOS and Windows, hufu-server for Linux with the console as in a release, into bin/cross
cross: QUALITY = 11
cross: wasm
	@mkdir -p bin/cross
	GOOS=linux GOARCH=amd64 $(CROSS) -o bin/cross/hufu-linux-amd64 ./nativeclient
	GOOS=linux GOARCH=arm64 $(CROSS) -o bin/cross/hufu-linux-arm64 ./nativeclient
	GOOS=darwin GOARCH=arm64 $(CROSS) -o bin/cross/hufu-darwin-arm64 ./nativeclient
	GOOS=windows GOARCH=amd64 $(CROSS) -o bin/cross/hufu-windows-amd64.exe ./nativeclient
	GOOS=linux GOARCH=amd64 $(CROSS) -o bin/cross/hufu-server-linux-amd64 ./server
	GOOS=linux GOARCH=arm64 $(CROSS) -o bin/cross/hufu-server-linux-arm64 ./server

## share    manual pages and shell completion of both programs, into bin/share
share: build
	@mkdir -p bin/share
	bin/hufu man >bin/share/hufu.1
	bin/hufu-server man >bin/share/hufu-server.8
	for shell in bash zsh fish; do \
		bin/hufu completion $$shell >bin/share/hufu.$$shell && \
		bin/hufu-server completion $$shell >bin/share/hufu-server.$$shell || exit 1; \
	done

## test     every test; installs what is missing as root on Debian, else says what to install (RACE=1 for the race detector, AGAIN=1 to repeat up to three that failed)
test:
	@integration/needs.sh
	@integration/test.sh

## screenshots  every face of the page, in light, dark, narrow and Chinese, into ./screenshots
screenshots:
	@mkdir -p screenshots
	SCREENSHOTS=$(CURDIR)/screenshots go test ./integration/browser -run TestFaces -count=1

## crash    the crash tests in their full number: programs killed -9 at random, about ten minutes
crash:
	CRASH=full go test ./shm ./integration -run 'Killed|Weather' -count=1 -v -timeout 60m

## rotation ten minutes of keys that live one minute, under readers in C and Go at both ends
rotation:
	ROTATION=full go test ./integration -run 'TestRotationLive' -count=1 -v -timeout 20m

## bench    what is quick beside its floor or peer, on both stores (SPEED=full: large lists for 100,000 outlets, an hour; BENCH=short: only whether all of it runs)
export BENCH SPEED
rounds = -benchtime $(if $(filter short,$(BENCH)),1x,$(1)) -count=1 -timeout 90m
bench:
	go test ./integration/browser -run '^$$' -bench Negotiate $(call rounds,30x)
	go test ./integration -run '^$$' -bench Negotiations $(call rounds,3x)
	go test ./server/publish -run '^$$' -bench Fill $(call rounds,2x)
	go test ./server/publish -run '^$$' -bench Follow $(call rounds,100x)
	go test ./integration -run '^$$' -bench Revocation $(call rounds,100x)
	go test ./integration -run '^$$' -bench Lists $(call rounds,10x)
	go test ./integration/browser -run '^$$' -bench ConsolePages $(call rounds,1x)
	go test ./integration/browser -run '^$$' -bench ConsoleSeen $(call rounds,30x)

## lint     formatting, go vet and staticcheck, for native and for js/wasm
lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run: gofmt -w ."; exit 1; }
	go vet ./...
	GOOS=js GOARCH=wasm go vet ./shared/wire ./shared/kex ./shared/client ./wasmclient
	go build -o bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...
	GOOS=js GOARCH=wasm bin/staticcheck ./shared/wire ./shared/kex ./shared/client ./wasmclient

## fuzz     every fuzzer, FUZZTIME executions of each (300000x by default)
fuzz:
	@integration/fuzz.sh

## vectors  write the protocol's test vectors and golden bytes anew
vectors:
	go test ./shared/wire ./shared/kex -run 'TestGolden|TestVectors' -count=1 -update

## settings write the example settings files and the tables of settings in docs/operations.md anew
settings:
	go test -p 1 ./server ./nativeclient -run 'TestExampleFile|TestOperations' -count=1 -update

## clean    remove what was built and the folder of make run
clean:
	rm -rf bin run screenshots static/wasm
	find static/dist -type f ! -name .gitkeep -delete

## help     this list
help:
	@sed -n 's/^## /  make /p' $(MAKEFILE_LIST)

.PHONY: run demo wasm build cross share test screenshots crash rotation bench lint fuzz vectors settings clean help
