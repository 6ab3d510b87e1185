package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that was started.
type process struct {
	cmd *exec.Cmd
	// log is the file that it writes its output to.
	log     string
	started time.Time
	ended   chan struct{}
}

// startUp is how long a server may take until it listens.
const startUp = 20 * time.Second

// start starts a server in dir and waits until it listens on addr. One that is measured
// is pinned to its core.
func start(dir, addr string, measured bool, env []string, argv ...string) (*process, error) {
	if core := measuredCore(); measured && core != "" {
		argv = append([]string{"taskset", "-c", core}, argv...)
	}
	log, err := os.CreateTemp(dir, filepath.Base(argv[0])+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), log: log.Name(), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	for deadline := time.Now().Add(startUp); time.Now().Before(deadline); {
		select {
		case <-p.ended:
			out, _ := os.ReadFile(p.log)
			return nil, fmt.Errorf("%s ended as it was started:\n%s", argv[0], out)
		case <-time.After(time.Millisecond):
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return p, nil
		}
	}
	p.kill()
	return nil, fmt.Errorf("%s does not listen on %s", argv[0], addr)
}

// kill ends the server and its children.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// tick is the unit of the times in /proc (USER_HZ, which Linux keeps at 100).
const tick = 10 * time.Millisecond

// cpu is the processor time that a server and its children have used: of them all, user
// and system.
func (p *process) cpu() (time.Duration, error) {
	total := time.Duration(0)
	err := p.each(func(pid int) error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return err
		}
		for _, n := range statFields(stat, 14, 15) {
			total += time.Duration(n) * tick
		}
		return nil
	})
	return total, err
}

// peak is how much memory a server and its children have had at most, in bytes; what
// processes share is counted for each.
func (p *process) peak() (int, error) {
	total := 0
	err := p.each(func(pid int) error {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return err
		}
		_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
		kb, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
		total += kb << 10
		return err
	})
	return total, err
}

// each calls do for the server and its children.
func (p *process) each(do func(pid int) error) error {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return err
	}
	group := p.cmd.Process.Pid
	found := false
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		if f := statFields(stat, 5); len(f) != 1 || f[0] != group {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err := do(pid); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return errors.New("a server has ended")
	}
	return nil
}

// statFields returns fields of /proc/PID/stat, counted from 1 as in proc(5). The second
// is the name of a program, in which everything may stand.
func statFields(stat []byte, numbers ...int) (values []int) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, n := range numbers {
		if n-3 >= len(fields) {
			return nil
		}
		v, err := strconv.Atoi(fields[n-3])
		if err != nil {
			return nil
		}
		values = append(values, v)
	}
	return values
}

// othersBusy is how many cores are used while this program does nothing.
func othersBusy() float64 {
	busy := func() (total float64) {
		stat, _ := os.ReadFile("/proc/stat")
		line, _, _ := strings.Cut(string(stat), "\n")
		for i, f := range strings.Fields(line) {
			// The name, then user, nice, system, idle, iowait, irq, softirq, steal; guest is in user.
			if n, err := strconv.ParseFloat(f, 64); err == nil && i != 4 && i != 5 && i < 9 {
				total += n
			}
		}
		return total
	}
	before := busy()
	time.Sleep(time.Second)
	return (busy() - before) * tick.Seconds()
}

// freeAddr is an address of 127.0.0.1 that nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
