// Package browser tests the console in a real Chromium, served by a real
// hufu-server: the bridge of wasmclient by itself, and the page.
package browser
