package integration

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// yesterday is amd64 code in place of clock_gettime of a process's vDSO: it
// asks the kernel, and CLOCK_REALTIME, which is clock 0, is a day behind from
// then on. Other clocks are as they are, as on a machine whose clock is set.
var yesterday = []byte{
	0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, SYS_clock_gettime
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi
	0x75, 0x07, // jnz over the next
	0x48, 0x81, 0x2e, 0x80, 0x51, 0x01, 0x00, // sub qword ptr [rsi], 86400
	0xc3, // ret
}

// setBack sets the clock of a running process back by a day.
func (p *process) setBack(t testing.TB) {
	t.Helper()
	begin, end := vdso(t, p.cmd.Process.Pid)
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", p.cmd.Process.Pid), os.O_RDWR, 0)
	must(t, err)
	defer memory.Close()
	image := make([]byte, end-begin)
	_, err = memory.ReadAt(image, int64(begin))
	must(t, err)
	f, err := elf.NewFile(bytes.NewReader(image))
	must(t, err)
	symbols, err := f.DynamicSymbols()
	must(t, err)
	for _, s := range symbols {
		if s.Name != "__vdso_clock_gettime" {
			continue
		}
		eventually(t, "no thread is in the vDSO", func() bool {
			must(t, p.cmd.Process.Signal(syscall.SIGSTOP))
			defer p.cmd.Process.Signal(syscall.SIGCONT)
			if !p.stoppedOutside(t, begin, end) {
				return false
			}
			_, err := memory.WriteAt(yesterday, int64(begin+s.Value))
			must(t, err)
			return true
		})
		return
	}
	t.Fatal("the vDSO has no clock")
}

// vdso is where a process has it.
func vdso(t testing.TB, pid int) (begin, end uint64) {
	t.Helper()
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/maps", pid))) {
		if strings.HasSuffix(line, "[vdso]\n") {
			_, err := fmt.Sscanf(line, "%x-%x", &begin, &end)
			must(t, err)
		}
	}
	if begin == 0 {
		t.Fatal("there is no vDSO")
	}
	return begin, end
}

// stoppedOutside reports whether every thread is stopped, and none within a range.
func (p *process) stoppedOutside(t testing.TB, begin, end uint64) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.cmd.Process.Pid))
	must(t, err)
	for _, thread := range threads {
		stat := read(t, filepath.Join(thread, "stat"))
		if !strings.HasPrefix(stat[strings.LastIndex(stat, ")"):], ") T ") {
			return false
		}
		at := strings.Fields(read(t, filepath.Join(thread, "syscall"))) // ends with the program counter
		pc, err := strconv.ParseUint(at[len(at)-1], 0, 64)
		if err != nil || begin <= pc && pc < end {
			return false
		}
	}
	return len(threads) > 0
}
