package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Redis says which Redis keeps the sessions. Several claimproxies that name the same one,
// and have the same session.secrets, act as one.
type Redis struct {
	// URL is the server: redis://HOST:PORT/DATABASE, rediss:// for TLS, or
	// unix:///PATH?db=DATABASE. Port and database may be left out (6379, 0). For a
	// Cluster it may be a list of nodes, of which one has to answer. With Sentinels it is
	// left out, or says the scheme and the database alone, as in rediss:///1.
	URL []string `yaml:"url,many"`
	// Username is that of an ACL user; left out, Password is the server's own.
	Username string `yaml:"username"`
	// Password is not sent to sentinels.
	Password Secret `yaml:"password"`
	// Sentinels are asked which server is the master at the time, as host:port.
	Sentinels []string `yaml:"sentinels,many"`
	// Master is the name by which the sentinels know it.
	Master string `yaml:"master"`
	// Cluster says that it is a Redis Cluster.
	Cluster bool `yaml:"cluster"`
	// CA is a file of certificates in PEM to trust the server by, in place of the
	// system's.
	CA string `yaml:"ca,path"`
}

// RedisServer is what an URL of a Redis says.
type RedisServer struct {
	// Addr is host:port, or the path of a socket; "" when the URL names no host.
	Addr string
	// DB is the number of the database.
	DB int
	// TLS says that connections are TLS ones.
	TLS bool
}

// Servers are what the URLs say.
func (r *Redis) Servers() []RedisServer {
	servers := make([]RedisServer, len(r.URL))
	for i, raw := range r.URL {
		servers[i], _, _ = parseRedisURL(raw)
	}
	return servers
}

const (
	redisExpected = "redis://HOST:PORT/DATABASE, rediss:// for TLS, or unix:///PATH"
	redisPort     = "6379"
	sentinelPort  = "26379"
)

// parseRedisURL says what stands in a URL, or what is wrong with it and what was meant.
func parseRedisURL(raw string) (s RedisServer, problem, hint string) {
	wrong := func(format string, args ...any) (RedisServer, string, string) {
		return RedisServer{}, "expected " + redisExpected + fmt.Sprintf(format, args...), hint
	}
	if !strings.Contains(raw, "://") {
		switch u, err := url.Parse("redis://" + raw); {
		case strings.HasPrefix(raw, "/"):
			hint = "did you mean unix://" + raw + "?"
		case err == nil && u.User == nil && checkHost(strings.ToLower(u.Hostname())) == "" && validPort(u.Port()):
			hint = "did you mean redis://" + raw + "?"
		}
		return wrong(", got %s", quote(raw))
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return wrong(", got %s", quote(raw))
	case u.User != nil:
		hint = "they stand in username and password"
		return wrong(", got one with a user name or password, which cannot stand here")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return wrong(", got %s: nothing can follow a `#` here", quote(raw))
	}
	db := strings.TrimPrefix(u.Path, "/")
	switch u.Scheme {
	case "unix":
		if u.Host != "" || len(u.Path) < 2 {
			return wrong(", got %s: the path of a socket begins with /, behind unix://", quote(raw))
		}
		s.Addr, db = u.Path, ""
		if value, only := strings.CutPrefix(u.RawQuery, "db="); only {
			db, u.RawQuery = value, ""
		}
	case "redis", "rediss":
		s.TLS = u.Scheme == "rediss"
		if u.Host != "" {
			if problem := checkHost(strings.ToLower(u.Hostname())); problem != "" {
				return wrong(", got %s: %s", quote(raw), problem)
			}
			if !validPort(u.Port()) || strings.HasSuffix(u.Host, ":") {
				return wrong(", got %s: a port is a number from 1 to 65535", quote(raw))
			}
			port := u.Port()
			if port == "" {
				port = redisPort
			}
			s.Addr = net.JoinHostPort(strings.ToLower(u.Hostname()), port)
		}
	default:
		return wrong(", got %s", quote(raw))
	}
	if u.RawQuery != "" || u.ForceQuery {
		return wrong(", got %s: what its query says has keys of its own here", quote(raw))
	}
	if db != "" {
		n, err := strconv.ParseUint(db, 10, 16)
		if err != nil {
			return wrong(", got %s: a database is a number", quote(raw))
		}
		s.DB = int(n)
	}
	return s, "", ""
}

func (l *loader) validateRedis(s *Session) {
	r := s.Redis
	used := l.good(&s.Store) && s.Store == StoreRedis
	if r == nil {
		if used && l.fine(&s.Redis) {
			l.bad(&s.Store, "the store \"redis\" needs session.redis, which says where it is").
				hint("as in redis: {url: \"redis://127.0.0.1:6379/0\"}")
		}
		return
	}
	l.validateRedisURLs(r)
	l.validateSentinels(r)
	for _, name := range []*string{&r.Username, &r.Master} {
		if l.good(name) && (*name == "" || strings.ContainsFunc(*name, unicode.IsSpace)) {
			l.bad(name, "expected a name without blanks, got %s", quote(*name))
		}
	}
	if l.good(&r.CA) && !l.env.WithoutSecrets {
		l.validateCA(&r.CA)
	}
	switch _, store := l.places[&s.Store]; {
	case used:
		l.validateRedisWhole(s)
	case !store: // whoever names another store may keep this for later
		l.doubtful(&s.Redis, "this is not used: sessions are kept in a file in state_dir").hint("as in store: redis")
	}
}

func (l *loader) validateRedisURLs(r *Redis) {
	if !l.good(&r.URL) || !l.notEmpty(&r.URL, len(r.URL), "URL") {
		return
	}
	seen := make(map[string]int)
	for i := range r.URL {
		at := &r.URL[i]
		if !l.good(at) {
			continue
		}
		if _, problem, hint := parseRedisURL(*at); problem != "" {
			l.bad(at, "%s", problem).hint("%s", hint)
			continue
		}
		l.unique(at, *at, seen, "the URL")
	}
}

func (l *loader) validateSentinels(r *Redis) {
	if !l.good(&r.Sentinels) || !l.notEmpty(&r.Sentinels, len(r.Sentinels), "sentinel") {
		return
	}
	seen := make(map[string]int)
	for i := range r.Sentinels {
		at := &r.Sentinels[i]
		if !l.good(at) {
			continue
		}
		host, port, err := net.SplitHostPort(*at)
		if err == nil && host != "" && validPort(port) && port != "" && checkHost(strings.ToLower(host)) == "" {
			l.unique(at, *at, seen, "the sentinel")
			continue
		}
		f := l.bad(at, "expected host:port, as in 127.0.0.1:%s, got %s", sentinelPort, quote(*at))
		_, bare, _ := strings.Cut("//"+strings.TrimPrefix(*at, "redis://"), "//")
		if meant := net.JoinHostPort(strings.Trim(bare, "[]"), sentinelPort); checkListen(meant) == "" && bare != "" {
			f.hint("did you mean %s?", meant)
		}
	}
}

// validateRedisWhole checks how the keys go together. It looks at them once each of
// them is good.
func (l *loader) validateRedisWhole(s *Session) {
	r := s.Redis
	if !l.allFine(r) {
		return
	}
	sentinel, cluster := len(r.Sentinels) > 0, r.Cluster
	switch {
	case sentinel && cluster:
		l.bad(&r.Cluster, "a Cluster has no sentinels: leave one of the two out")
		return
	case sentinel && r.Master == "":
		l.bad(&r.Sentinels, "the sentinels need master, the name by which they know the server")
	case !sentinel && r.Master != "":
		l.bad(&r.Master, "this is for sentinels, and there are none")
	case !sentinel && len(r.URL) == 0:
		l.bad(&s.Redis, "expected url, or sentinels and master")
	}
	servers := r.Servers()
	for i, server := range servers {
		at := &r.URL[i]
		switch {
		case sentinel && server.Addr != "":
			l.bad(at, "the sentinels say where the server is: expected the scheme and the database alone, as in redis:///0")
		case !sentinel && server.Addr == "":
			l.bad(at, "expected a URL that names the server, got %s", quote(*at))
		case cluster && strings.HasPrefix(server.Addr, "/"):
			l.bad(at, "a Cluster has no sockets, expected redis:// or rediss://")
		case cluster && server.DB != 0:
			l.bad(at, "a Cluster has database 0 alone, got %d", server.DB)
		case i > 0 && !cluster:
			l.bad(at, "expected one URL: several are for a Cluster, with cluster: true")
		case i > 0 && server.TLS != servers[0].TLS:
			l.bad(at, "expected the scheme of the first URL")
		}
	}
	if l.good(&r.CA) && r.CA != "" && (len(servers) == 0 || !servers[0].TLS) {
		l.bad(&r.CA, "this is for TLS, and nothing says that there is any").hint("as in url: rediss://...")
	}
	if r.Username != "" && !r.Password.IsSet() {
		l.bad(&r.Username, "a user name needs a password")
	}
	if far := r.plainHost(); far != "" && r.Password.IsSet() {
		l.doubtful(&r.Password, "whoever listens on the way to %s reads this password, and changes what is kept there", far).
			hint("as in url: rediss://..., with ca where its certificate is not one that everybody knows")
	}
}

// plainHost is a host of a Redis that is spoken to without TLS and is not this machine, or
// of a sentinel that leads to one; "" where there is none.
func (r *Redis) plainHost() string {
	servers, hosts := r.Servers(), r.Sentinels
	for _, server := range servers {
		if server.TLS {
			return "" // then all of them
		}
		hosts = append(slices.Clip(hosts), server.Addr)
	}
	for _, addr := range hosts {
		if host, _, err := net.SplitHostPort(addr); err == nil && !isLoopback(host) {
			return host
		}
	}
	return ""
}

func (l *loader) allFine(r *Redis) bool {
	fine := l.fine(&r.URL) && l.fine(&r.Username) && l.fine(&r.Password) && l.fine(&r.Sentinels) &&
		l.fine(&r.Master) && l.fine(&r.Cluster) && l.fine(&r.CA)
	for i := range r.URL {
		fine = fine && l.fine(&r.URL[i])
	}
	for i := range r.Sentinels {
		fine = fine && l.fine(&r.Sentinels[i])
	}
	return fine
}
