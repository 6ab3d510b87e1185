package redis_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
)

const password = "hunter2-" + "s3cret"

// Each of these is a real server in trouble: the outcome is "unavailable", and the log
// says what to do without giving anything away.
func TestRedisThatRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		args    []string
		prepare func(t *testing.T, s *server)
		change  func(*redis.Options)
		code    string
		advice  string
	}{
		"no password where one is wanted": {
			args: []string{"--requirepass", password}, code: "NOAUTH", advice: "set session.redis.password",
		},
		"another password": {
			args: []string{"--requirepass", password}, change: func(o *redis.Options) { o.Password = "not-" + password },
			code: "WRONGPASS", advice: "session.redis.username and password",
		},
		"a full memory": {
			args: []string{"--maxmemory", "1mb", "--maxmemory-policy", "noeviction"},
			prepare: func(t *testing.T, s *server) {
				c := s.client(t)
				must(t, c.ConfigSet(t.Context(), "maxmemory", "1").Err())
			},
			code: "OOM", advice: "raise its maxmemory",
		},
		"a replica": {
			args: []string{"--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "yes"},
			code: "READONLY", advice: "set session.redis.url to the master",
		},
		"a replica without its master": {
			args: []string{"--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no"},
			code: "MASTERDOWN", advice: "lost its master",
		},
		"a cluster without slots": {
			args: []string{"--cluster-enabled", "yes", "--cluster-port", "0"},
			code: "CLUSTERDOWN", advice: "all of its slots",
		},
		"a database that is not there": {
			change: func(o *redis.Options) { o.DB = 99 }, code: "ERR", advice: "no database of this number",
		},
		"a user who may do little": {
			prepare: func(t *testing.T, s *server) {
				must(t, s.client(t).Do(t.Context(), "ACL", "SETUSER", "claimproxy", "on", ">"+password, "~claimproxy:*", "+get").Err())
			},
			change: func(o *redis.Options) { o.Username, o.Password = "claimproxy", password },
			code:   "NOPERM", advice: "give it ~claimproxy:* &claimproxy:*",
		},
	} {
		t.Run(name, func(t *testing.T) {
			args := tt.args
			for i := range args {
				if args[i] == "--cluster-port" {
					args[i+1] = freePort(t)
				}
			}
			s := startServer(t, args...)
			if tt.prepare != nil {
				tt.prepare(t, s)
			}
			log := new(logged)
			o := redis.Options{Addrs: []string{s.addr}, Log: log.logger()}
			if tt.change != nil {
				tt.change(&o)
			}
			store := replica(t, openNow(t, o))
			err := store.Start(httptest.NewRecorder(), requestWith(""), person("jane"))
			var u *session.Unavailable
			if !errors.As(err, &u) || u.Reason != session.ReasonStoreUnavailable {
				t.Fatalf("a login: got %v, want store-unavailable", err)
			}
			var refusal *redis.Refusal
			if !errors.As(err, &refusal) || refusal.Code != tt.code {
				t.Fatalf("got %v, want the code %s", err, tt.code)
			}
			wantLog(t, log, "redis answers "+tt.code)
			wantLog(t, log, tt.advice)
		})
	}
}

func TestKeysOfAnotherProgram(t *testing.T) {
	s := sharedServer(t)
	c, p, log := s.client(t), prefix(), new(logged)
	store := replica(t, open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p, Log: log.logger()}))
	jane := signIn(t, store, "jane")
	name := c.Keys(t.Context(), p+"session:*").Val()[0]
	must(t, c.Del(t.Context(), name).Err())
	must(t, c.Set(t.Context(), name, password, 0).Err())
	want(t, store, jane, session.ReasonStoreUnavailable)
	wantLog(t, log, "redis answers WRONGTYPE: another program keeps something else")
}

func wantLog(t *testing.T, log *logged, text string) {
	t.Helper()
	got := log.String()
	if !strings.Contains(got, text) {
		t.Errorf("the log does not say %q:\n%s", text, got)
	}
	if strings.Contains(got, password) || strings.Contains(got, "hunter2") {
		t.Errorf("the log has the password:\n%s", got)
	}
}

// Some servers repeat the command that they do not know, password and all.
func TestServerThatRepeatsThePasswordIsNotQuoted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					for range strings.Count(string(buf), "*") {
						if _, err := c.Write([]byte("-ODD unknown command 'AUTH', with args beginning with: '" + password + "'\r\n")); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	log := new(logged)
	b := openNow(t, redis.Options{Addrs: []string{l.Addr().String()}, Password: password, Log: log.logger()})
	_, err = b.Load(t.Context(), key(1))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want an error without the password", err)
	}
	wantLog(t, log, "redis")
}

func TestErrorsThatAreNoAnswersKeepTheirCause(t *testing.T) {
	if err := redis.Explain(context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := redis.Explain(nil); err != nil {
		t.Errorf("got %v", err)
	}
}
