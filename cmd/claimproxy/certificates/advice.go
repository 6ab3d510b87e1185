package certificates

import (
	"crypto/x509"
	"errors"
	"strings"

	"golang.org/x/crypto/acme"
)

// advice is what whoever runs claimproxy can do about an order that failed.
func advice(err error) string {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return "name the certificates that the authority's own server is to be trusted by in tls.acme.ca"
	}
	if errors.Is(err, errStore) {
		return "see state_dir, or the Redis of session.redis"
	}
	kind, _ := strings.CutPrefix(problem(err), "urn:ietf:params:acme:error:")
	switch kind {
	case "dns":
		return "see that the name resolves for everybody: its A and AAAA records"
	case "connection", "tls", "unauthorized", "incorrectResponse":
		return "see that the authority reaches this claimproxy under that name on port 443, with nothing before it that ends TLS, or on port 80 (redirect_http)"
	case "caa":
		return "the domain's CAA record names other authorities: add this one"
	case "rateLimited":
		return "wait: the authority has given out, or refused, too much lately"
	case "rejectedIdentifier", "unsupportedIdentifier":
		return "this authority gives out none for this name: take another one (tls.acme.directory), or bring a certificate (tls.cert)"
	case "externalAccountRequired":
		return "this authority wants tls.acme.external_account"
	case "accountDoesNotExist":
		return "the authority has forgotten the account: remove its key, account-*.pem below state_dir, and start again"
	case "":
		return "see that this machine reaches tls.acme.directory"
	}
	return "see what the authority says"
}

// problem is the type of problem that an authority has stated (RFC 8555 section 6.7),
// empty for none.
func problem(err error) string {
	var refused *acme.AuthorizationError
	if errors.As(err, &refused) {
		for _, each := range refused.Errors {
			if kind := problem(each); kind != "" {
				return kind
			}
		}
	}
	var stated *acme.Error
	if errors.As(err, &stated) {
		return stated.ProblemType
	}
	var order *acme.OrderError
	if errors.As(err, &order) && order.Problem != nil {
		return order.Problem.ProblemType
	}
	return ""
}
