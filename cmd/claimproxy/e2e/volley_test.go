package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// question is a request with its one right answer.
type question struct {
	path, header string
	status       int
	as           string // whom the application is told it is from
}

// volley sends questions at a fixed rate, whatever becomes of those before, or as many as
// the machine can send and answer where that is less.
type volley struct {
	addr, host string
	tls        *tls.Config
	questions  []question
	rate       int // a second
	conns      int
	// each is for how many requests a connection is used.
	each int

	began time.Time
	next  atomic.Int64 // the number of the next request
	sent  atomic.Int64
	mu    sync.Mutex
	wrong []string
	took  []shotTaken
}

// shotTaken is when a request was sent, and how long its answer took.
type shotTaken struct{ at, took time.Duration }

// lateness is how far the sender may be behind before it lets requests be that were due.
const lateness = 100 * time.Millisecond

// fly sends until end is closed.
func (v *volley) fly(end <-chan struct{}) {
	v.began = time.Now()
	var workers sync.WaitGroup
	for range v.conns {
		workers.Go(func() {
			var mine []shotTaken
			for over := false; !over; {
				mine, over = v.connection(mine, end)
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.took = append(v.took, mine...)
		})
	}
	workers.Wait()
}

// connection sends over one connection, and returns whether it is the end.
func (v *volley) connection(took []shotTaken, end <-chan struct{}) (_ []shotTaken, over bool) {
	var conn net.Conn
	var err error
	dialer := &net.Dialer{Timeout: patience}
	if v.tls != nil {
		conn, err = tls.DialWithDialer(dialer, "tcp", v.addr, v.tls)
	} else {
		conn, err = dialer.Dial("tcp", v.addr)
	}
	if err != nil {
		v.miss(fmt.Sprintf("connecting: %v", err))
		return took, true
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 8<<10)
	for range v.each {
		number := v.next.Add(1)
		due := v.began.Add(time.Duration(number) * time.Second / time.Duration(v.rate))
		wait := time.Until(due)
		if wait < -lateness {
			v.next.CompareAndSwap(number, number+int64(v.rate)*int64(lateness)/int64(time.Second))
		}
		select {
		case <-end:
			return took, true
		case <-time.After(wait):
		}
		q := &v.questions[number%int64(len(v.questions))]
		sent := time.Now()
		v.sent.Add(1)
		conn.SetDeadline(sent.Add(patience))
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", q.path, v.host, q.header); err != nil {
			v.miss(fmt.Sprintf("%s: %v", q.path, err))
			return took, false
		}
		closes, err := v.read(in, q)
		if err != nil {
			v.miss(fmt.Sprintf("%s: %v", q.path, err))
			return took, false
		}
		took = append(took, shotTaken{sent.Sub(v.began), time.Since(sent)})
		if closes {
			return took, false
		}
	}
	return took, false
}

// read reads an answer and compares it with the right one.
func (v *volley) read(in *bufio.Reader, q *question) (closes bool, err error) {
	res, err := http.ReadResponse(in, &http.Request{Method: http.MethodGet})
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch as := ""; {
	case err != nil:
		return false, err
	case res.StatusCode == http.StatusOK:
		as = string(bytes.TrimSpace(body))
		fallthrough
	default:
		if res.StatusCode != q.status || as != q.as {
			return false, fmt.Errorf("got %d as %q, want %d as %q", res.StatusCode, as, q.status, q.as)
		}
	}
	return res.Close, nil
}

func (v *volley) miss(what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wrong = append(v.wrong, what)
}

// perSecond is how many were answered in a second.
func (v *volley) perSecond() int {
	last := time.Duration(0)
	for _, s := range v.took {
		last = max(last, s.at)
	}
	return int(float64(len(v.took)) / max(last.Seconds(), 0.001))
}

// quantiles says how long answers took that were sent when which says so.
func (v *volley) quantiles(which func(at time.Duration) bool) string {
	var took []time.Duration
	for _, s := range v.took {
		if which(s.at) {
			took = append(took, s.took)
		}
	}
	if len(took) == 0 {
		return "none"
	}
	slices.Sort(took)
	var text []string
	for _, q := range []float64{.5, .99, .999, 1} {
		text = append(text, fmt.Sprintf("%g%% %v", 100*q, took[int(q*float64(len(took)-1))].Round(10*time.Microsecond)))
	}
	return strings.Join(text, ", ")
}
