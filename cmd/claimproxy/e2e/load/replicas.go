package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// replicas measures what several claimproxies on one Redis answer together, each with its
// share of the connections, and how often Redis is asked for it.
func replicas(w *world) (*table, error) {
	result := &table{Columns: []string{"replicas on one Redis", "req/s together", "CPU ms per 1,000", "of Redis", "commands of Redis per 1,000 requests"}}
	for _, n := range []int{1, 2, 4} {
		if err := w.replicas(n, result); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// replicas measures so many of them.
func (w *world) replicas(n int, result *table) error {
	before := len(w.servers)
	defer func() {
		for _, p := range w.servers[before:] {
			p.kill()
		}
		w.servers = w.servers[:before]
	}()
	addr, err := w.redis()
	if err != nil {
		return err
	}
	store := w.servers[len(w.servers)-1]
	var all []*contender
	for range n {
		c, err := ours(setup{path: "/x", person: few, redis: true, at: addr}).make(w)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	var rate, cpu, storeCPU, commands series
	for round := range w.options.rounds {
		asked, err := commandsOf(addr)
		if err != nil {
			return err
		}
		used, _ := store.cpu()
		turns, errs := make([]turnResult, n), make([]error, n)
		var workers sync.WaitGroup
		for i, c := range all {
			workers.Go(func() { turns[i], errs[i] = w.share(c, round, max(w.options.conns/n, 1)) })
		}
		workers.Wait()
		var total, spent, requests float64
		for i, t := range turns {
			if errs[i] != nil {
				return errs[i]
			}
			total, spent, requests = total+t.Rate, spent+milliseconds(t.CPU)*float64(t.Requests), requests+float64(t.Requests)
		}
		askedAfter, err := commandsOf(addr)
		if err != nil {
			return err
		}
		usedAfter, _ := store.cpu()
		rate, cpu = append(rate, total), append(cpu, 1000*spent/requests)
		storeCPU, commands = append(storeCPU, 1000*milliseconds(usedAfter-used)/requests), append(commands, 1000*float64(askedAfter-asked)/requests)
	}
	result.add(strconv.Itoa(n), rate.cell("%.0f"), cpu.cell("%.1f"), storeCPU.cell("%.2f"), commands.cell("%.1f"))
	return nil
}

// share loads one of several that are loaded at once; how many requests the upstream has
// answered is nothing that one of them could be held against.
func (w *world) share(c *contender, round, conns int) (turnResult, error) {
	var before, after time.Duration
	t, err := load(w.ctx, c.dialer(), conns, time.Duration(w.options.seconds*float64(time.Second)), c.next(round),
		func() { before, _ = c.process.cpu() }, func() { after, _ = c.process.cpu() })
	if err != nil {
		return turnResult{}, err
	}
	return turnResult{Rate: float64(t.answers) / t.took.Seconds(), CPU: (after - before) / time.Duration(t.answers), Requests: t.answers}, nil
}

// commandsOf is how many commands a Redis has carried out.
func commandsOf(addr string) (int, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "INFO stats\r\n"); err != nil {
		return 0, err
	}
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return 0, fmt.Errorf("asking Redis: %w", err)
		}
		if n, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("total_commands_processed:")); ok {
			return strconv.Atoi(string(n))
		}
	}
}
