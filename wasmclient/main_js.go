// Command hufu.wasm is the client in the browser: the bridge between a page and
// shared/client. It has no protocol logic. Its contract is hufu.d.ts.
//
// A call crosses in two steps: its arguments are read and copied at once, then
// it runs in a goroutine of its own and settles a promise. Whatever goes to
// the page, settled promises and callbacks, goes through one queue and keeps its
// order. A panic becomes an Error with code "internal"; the runtime lives on.
package main

import "syscall/js"

// contractVersion is that of hufu.d.ts.
const contractVersion = 1

func main() {
	sessions = newRegistry()
	go toPage.run()
	hufu := newObject()
	hufu.Set("version", contractVersion)
	hufu.Set("inspect", function(inspect))
	hufu.Set("connect", function(connect))
	extend(hufu)
	js.Global().Set("hufu", js.Global().Get("Object").Call("freeze", hufu))
	select {}
}
