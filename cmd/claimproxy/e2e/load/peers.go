package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// errNotInstalled leaves a contender, or a whole row, out.
var errNotInstalled = errors.New("it is not installed")

// program finds a program of Debian's, which keeps some where only root looks.
func program(name string) (string, error) {
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", errNotInstalled
}

// peer starts a program with a configuration file. The text has the addresses filled
// in: LISTEN, PORT, UPSTREAM, ISSUER, DIR.
func (w *world) peer(name, config string, argv ...string) (*contender, error) {
	path, err := program(name)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(w.dir, name+"-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	fill := strings.NewReplacer("LISTEN", addr, "PORT", port, "UPSTREAM", w.upstream, "ISSUER", w.provider.Issuer(), "DIR", dir)
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, []byte(fill.Replace(config)), 0o644); err != nil {
		return nil, err
	}
	for i := range argv {
		argv[i] = fill.Replace(argv[i])
	}
	p, err := w.start(addr, true, nil, append([]string{path}, argv...)...)
	if err != nil {
		return nil, err
	}
	return &contender{process: p, addr: addr, forwards: true}, nil
}

const nginxConfig = `daemon off;
worker_processes 1;
pid DIR/pid;
error_log stderr error;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	keepalive_requests 1000000000;
	upstream app { server UPSTREAM; keepalive 512; keepalive_requests 1000000000; }
	server {
		listen LISTEN;
		location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
	}
}
`

func nginxPlain(path string) maker {
	return maker{"nginx, plain", func(w *world) (*contender, error) {
		c, err := w.peer("nginx", nginxConfig, "-p", "DIR", "-c", "DIR/conf")
		if err != nil {
			return nil, err
		}
		c.next = always(request("localhost", path), fromUpstream(path, "-", 0))
		return c, nil
	}}
}

const haproxyConfig = `global
	maxconn 4096
	nbthread 1
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	http-reuse always
frontend front
	bind LISTEN
	RULES
	default_backend app
backend app
	server app UPSTREAM pool-max-conn -1
`

// haproxyRules check a token as closely as HAProxy can: of a list in a claim it looks at
// the element that it is told the number of.
const haproxyRules = `http-request set-var(txn.t) http_auth_bearer
	http-request deny deny_status 401 unless { var(txn.t),jwt_verify("RS256","DIR/key.pem") 1 }
	http-request deny deny_status 401 unless { var(txn.t),jwt_payload_query('$.iss') -m str ISSUER }
	http-request set-var(txn.now) date()
	http-request deny deny_status 401 unless { var(txn.t),jwt_payload_query('$.exp','int'),sub(txn.now) -m int gt 0 }
	http-request deny deny_status 403 unless { var(txn.t),jwt_payload_query('$.groups[4]') -m str ` + developers + ` }
	http-request set-header X-Forwarded-User %[var(txn.t),jwt_payload_query('$.sub')]`

func haproxyPlain(path string) maker {
	return maker{"HAProxy, plain", func(w *world) (*contender, error) {
		c, err := w.peer("haproxy", strings.Replace(haproxyConfig, "RULES", "", 1), "-db", "-f", "DIR/conf")
		if err != nil {
			return nil, err
		}
		c.next = always(request("localhost", path), fromUpstream(path, "-", 0))
		return c, nil
	}}
}

func haproxyJWT(each bool) maker {
	return maker{"HAProxy, jwt_verify", func(w *world) (*contender, error) {
		if _, err := program("haproxy"); err != nil {
			return nil, err
		}
		key, err := w.publicKey()
		if err != nil {
			return nil, err
		}
		config := strings.Replace(haproxyConfig, "RULES", strings.Replace(haproxyRules, "DIR/key.pem", key, 1), 1)
		c, err := w.peer("haproxy", config, "-db", "-f", "DIR/conf")
		if err != nil {
			return nil, err
		}
		want := fromUpstream("/x", few, 0) // the subject is all that it forwards
		if each {
			tokens, err := w.tokens()
			c.next = differing("localhost", "/x", tokens, want)
			return c, err
		}
		token, err := w.token("jwt")
		c.next = always(request("localhost", "/x", "Authorization: Bearer "+token), want)
		return c, err
	}}
}

// publicKey writes the provider's key down for whoever fetches none, and returns the
// name of the file.
func (w *world) publicKey() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(w.provider.Key().Private.(crypto.Signer).Public())
	if err != nil {
		return "", err
	}
	name := filepath.Join(w.dir, "key.pem")
	return name, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644)
}

// apacheUser is the user that Apache's children become where it is started by root.
func apacheUser() string {
	if u, err := user.Lookup("www-data"); err == nil && os.Geteuid() == 0 {
		return "User " + u.Username + "\nGroup www-data\n"
	}
	return ""
}

const apacheConfig = `ServerRoot DIR
PidFile DIR/pid
Mutex fcntl:DIR
Listen LISTEN
ServerName localhost
ErrorLog DIR/error.log
LogLevel error
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
Timeout 60
<Location "/">
	ProxyPass "http://UPSTREAM/" keepalive=On connectiontimeout=5
</Location>
`

const apacheOIDC = `LoadModule auth_openidc_module /usr/lib/apache2/modules/mod_auth_openidc.so
OIDCProviderMetadataURL ISSUER/.well-known/openid-configuration
OIDCClientID web-PORT
OIDCClientSecret web-secret
OIDCRedirectURI http://localhost:PORT/callback
OIDCCryptoPassphrase 0123456789abcdef
OIDCScope "openid email"
OIDCPKCEMethod S256
OIDCSSLValidateServer Off
OIDCResponseType code
OIDCPassClaimsAs headers
OIDCCacheType shm
OIDCCacheShmEntrySizeMax 65536
OIDCOAuthSSLValidateServer Off
OIDCOAuthRemoteUserClaim sub
OAUTH
<Location "/x">
	AuthType AUTHTYPE
	OIDCUnAuthAction UNAUTH
	Require claim groups:` + developers + `
</Location>
<Location "/callback">
	AuthType openid-connect
	Require valid-user
</Location>
`

// apache starts Apache with mod_auth_openidc, which protects /x in one way.
func (w *world) apache(authType, unauth, oauth string) (*contender, error) {
	if _, err := os.Stat("/usr/lib/apache2/modules/mod_auth_openidc.so"); err != nil {
		return nil, errNotInstalled
	}
	config := apacheUser() + apacheConfig + strings.NewReplacer("AUTHTYPE", authType, "UNAUTH", unauth, "OAUTH", oauth).Replace(apacheOIDC)
	c, err := w.peer("apache2", config, "-DFOREGROUND", "-f", "DIR/conf")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(c.addr)
	w.provider.SetClient(devprovider.Client{ID: "web-" + port, Secret: "web-secret", RedirectURIs: []string{"http://localhost:" + port + "/callback"}})
	return c, nil
}

func apachePlain(path string) maker {
	return maker{"Apache, plain", func(w *world) (*contender, error) {
		c, err := w.peer("apache2", apacheUser()+apacheConfig, "-DFOREGROUND", "-f", "DIR/conf")
		if err != nil {
			return nil, err
		}
		c.next = always(request("localhost", path), fromUpstream(path, "-", 0))
		return c, nil
	}}
}

const mod = "Apache, mod_auth_openidc"

func apacheSession(person string) maker {
	return maker{mod, func(w *world) (*contender, error) {
		c, err := w.apache("openid-connect", "auth", "")
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(c.addr)
		cookies, err := w.signIn("http://localhost:"+port+"/x", person)
		n := fewGroups
		if person == many {
			n = manyGroups
		}
		c.next = always(request("localhost:"+port, "/x", "Cookie: "+cookies), fromUpstream("/x", person, n))
		return c, err
	}}
}

// apacheJWT has the provider's key in a file, and there is none for opaque tokens: of
// endpoints that are asked about tokens Apache takes https alone, and the development
// provider has none.
func apacheJWT() maker {
	return maker{mod, func(w *world) (*contender, error) {
		c, err := w.apacheBearer("auth")
		if err != nil {
			return nil, err
		}
		token, err := w.token("jwt")
		c.next = always(request("localhost", "/x", "Authorization: Bearer "+token), fromUpstream("/x", few, fewGroups))
		return c, err
	}}
}

func (w *world) apacheBearer(unauth string) (*contender, error) {
	key, err := w.publicKey()
	if err != nil {
		return nil, err
	}
	return w.apache("oauth20", unauth, "OIDCOAuthVerifyCertFiles "+w.provider.Key().ID+"#"+key)
}

func apacheRedirect() maker {
	return maker{mod, func(w *world) (*contender, error) {
		c, err := w.apache("openid-connect", "auth", "")
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(c.addr)
		c.forwards, c.next = false, always(request("localhost:"+port, "/x"), redirect)
		return c, nil
	}}
}

func apacheUnauthorized() maker {
	return maker{mod, func(w *world) (*contender, error) {
		c, err := w.apacheBearer("401")
		if err != nil {
			return nil, err
		}
		c.forwards, c.next = false, always(request("localhost", "/x"), &expectation{status: 401})
		return c, nil
	}}
}
