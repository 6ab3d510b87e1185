package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// world is what all rows share.
type world struct {
	ctx      context.Context
	options  *options
	dir      string
	binary   string
	provider *devprovider.Server
	upstream string // its address
	servers  []*process
	// differing are access tokens no two of which are alike.
	tokens func() ([]string, error)
	// certificate makes the one that those have who speak TLS.
	certificate func() (*certificate, error)
}

// The people who sign in: how many groups they are in is what matters.
const (
	few  = "jane"
	many = "mary"

	fewGroups, manyGroups = 5, 200
)

// developers is the group that policies ask for.
const developers = "teams/kde-developers"

func groups(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("organisation/teams/group-%03d", i)
	}
	list[n-1] = developers
	return list
}

func newWorld(ctx context.Context, o *options) (_ *world, err error) {
	w := &world{ctx: ctx, options: o, binary: o.binary}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "claimproxy-load-"); err != nil {
		return nil, err
	}
	// Servers that give up being root read their files here.
	if err = os.Chmod(w.dir, 0o755); err != nil {
		return nil, err
	}
	if w.binary == "" {
		if w.binary, err = build(ctx, w.dir); err != nil {
			return nil, err
		}
	} else if w.binary, err = filepath.Abs(w.binary); err != nil {
		return nil, err
	}
	w.provider = devprovider.NewServer(devprovider.Options{
		People: []devprovider.Person{
			{Name: few, Subject: few, Email: "jane@example.org", Groups: groups(fewGroups)},
			{Name: many, Subject: many, Email: "mary@example.org", Groups: groups(manyGroups)},
		},
		Clients: []devprovider.Client{
			{ID: "native", Secret: "native-secret"},
			{ID: "jwt", JWT: true, Audience: []string{"load"}},
		},
	})
	w.provider.Rewrite(devprovider.AccessTokenClaims, func(claims map[string]any) {
		person := w.provider.Person(claims["sub"].(string))
		claims["preferred_username"], claims["email"], claims["email_verified"] = person.Name, person.Email, true
		claims["groups"] = person.Groups
	})
	w.tokens = sync.OnceValues(w.signTokens)
	w.certificate = sync.OnceValues(func() (*certificate, error) { return newCertificate(w.dir) })
	if w.upstream, err = freeAddr(); err != nil {
		return nil, err
	}
	_, err = w.start(w.upstream, false, []string{roleVariable + "=upstream " + w.upstream}, "")
	return w, err
}

// start starts a server in a directory of its own. No program means this one.
func (w *world) start(addr string, measured bool, env []string, argv ...string) (*process, error) {
	if argv[0] == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		argv = []string{self}
	}
	p, err := start(w.dir, addr, measured, env, argv...)
	if err == nil {
		w.servers = append(w.servers, p)
	}
	return p, err
}

func (w *world) close() {
	for _, p := range w.servers {
		p.kill()
	}
	if w.provider != nil {
		w.provider.Close()
	}
	if w.dir != "" {
		os.RemoveAll(w.dir)
	}
}

// token is an access token of the development provider for jane, by a client of it.
func (w *world) token(client string) (token string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("issuing a token: %v", r)
		}
	}()
	return w.provider.Issue(few, client, "openid email").AccessToken, nil
}

// tokensInTurn is how many tokens that differ a contender gets in a turn.
const tokensInTurn = 8000

// signTokens makes the tokens for all turns. Each contender gets all of them: none has
// seen any of them before.
func (w *world) signTokens() ([]string, error) {
	tokens := make([]string, w.options.rounds*tokensInTurn)
	var workers sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		workers.Go(func() {
			for j := i; j < len(tokens) && errs[i] == nil; j += len(errs) {
				tokens[j], errs[i] = w.token("jwt")
			}
		})
	}
	workers.Wait()
	return tokens, errors.Join(errs...)
}

// answered is how many requests the upstream has answered.
func (w *world) answered() (int, error) {
	res, err := http.Get("http://" + w.upstream + "/count")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

// requests gives what is sent in a turn, one after the other.
type requests func(turn int) func() (shot, bool)

// contender is a server as it is measured in a row.
type contender struct {
	name    string
	process *process
	addr    string
	// dial makes a client; nil makes one for HTTP/1.1 over plain TCP.
	dial func() client
	next requests
	// forwards tells that each answer is the upstream's.
	forwards bool
	turns    []turnResult
}

// turnResult is a turn in figures.
type turnResult struct {
	Rate     float64       `json:"requests_per_second"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	CPU      time.Duration `json:"cpu_per_request_ns"`
	RateX    float64       `json:"requests_ratio"`
	CPUX     float64       `json:"cpu_ratio"`
	Requests int           `json:"requests"`
}

// measure measures a row: its contenders are started, loaded in turns, and ended.
func (w *world) measure(r row) (results []result, err error) {
	makers := slices.Clone(r.makers[:1])
	for _, m := range r.makers[1:] {
		if w.options.against.MatchString(m.name) {
			makers = append(makers, m)
		}
	}
	contenders, end, err := w.contenders(makers)
	defer end()
	if err != nil {
		return nil, err
	}
	for round := range w.options.rounds {
		order := slices.Clone(contenders)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			t, err := w.turn(c, round)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			c.turns = append(c.turns, t)
		}
		reference := contenders[0].turns[round]
		for _, c := range contenders {
			t := &c.turns[round]
			t.RateX, t.CPUX = t.Rate/reference.Rate, float64(t.CPU)/float64(reference.CPU)
		}
	}
	for _, c := range contenders {
		peak, err := c.process.peak()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		results = append(results, result{Row: r.name, Contender: c.name, Peak: peak, Turns: c.turns})
	}
	return results, nil
}

// contenders starts all that are installed. end ends them, whatever else is returned.
func (w *world) contenders(makers []maker) (list []*contender, end func(), err error) {
	before := len(w.servers)
	end = func() {
		for _, p := range w.servers[before:] {
			p.kill()
		}
		w.servers = w.servers[:before]
	}
	for _, m := range makers {
		c, err := m.make(w)
		if errors.Is(err, errNotInstalled) {
			continue
		}
		if err != nil {
			return nil, end, fmt.Errorf("%s: %w", m.name, err)
		}
		c.name = m.name
		list = append(list, c)
	}
	return list, end, nil
}

// turn loads a contender once.
func (w *world) turn(c *contender, round int) (turnResult, error) {
	answeredBefore, err := w.answered()
	if err != nil {
		return turnResult{}, err
	}
	var before, after time.Duration
	var errBefore, errAfter error
	t, err := load(w.ctx, c.dialer(), w.options.conns, time.Duration(w.options.seconds*float64(time.Second)), c.next(round),
		func() { before, errBefore = c.process.cpu() }, func() { after, errAfter = c.process.cpu() })
	if err := errors.Join(err, errBefore, errAfter); err != nil {
		return turnResult{}, err
	}
	answered, err := w.answered()
	if err != nil {
		return turnResult{}, err
	}
	if answered -= answeredBefore; c.forwards != (answered >= t.answers) {
		return turnResult{}, fmt.Errorf("there were %d answers, and %d of the upstream", t.answers, answered)
	}
	return turnResult{
		Rate: float64(t.answers) / t.took.Seconds(), P50: t.quantile(.5), P99: t.quantile(.99),
		CPU: (after - before) / time.Duration(t.answers), Requests: t.answers,
	}, nil
}
