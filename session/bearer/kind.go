package bearer

import (
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// kind is what a JWT was made for. One kind is never taken for another (RFC 8725
// section 3.12).
type kind int

const (
	// unmarked says neither: such a token counts as an access token only when aud
	// names more than a client.
	unmarked kind = iota
	accessToken
	idToken
	foreign
)

// kindOf looks at the marks that providers in the field set.
func kindOf(t *provider.JWT) kind {
	typ, hasTyp := t.Claims["typ"]
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { _, ok := t.Claims[n]; return ok })
	}
	header := t.Typ()
	switch {
	case !slices.Contains([]string{"", "jwt", "at+jwt", "id_token+jwt"}, header):
		return foreign // logout+jwt, token-introspection+jwt, dpop+jwt, secevent+jwt ...
	case has("events"):
		return foreign
	case hasTyp && typ != "ID" && typ != "Bearer":
		return foreign // Keycloak's Refresh, Offline, Logout
	case header == "at+jwt" && typ == "ID", header == "id_token+jwt" && typ == "Bearer":
		return foreign // it contradicts itself
	case header == "id_token+jwt", typ == "ID":
		return idToken
	case header == "at+jwt", typ == "Bearer", has("scope", "scp", "roles"):
		return accessToken
	case has("nonce", "at_hash"):
		return idToken
	}
	return unmarked
}

// withoutUser says whether a token is a client's own, without a person behind it:
// sub is the client (RFC 9068 section 2.2), or a mark of Auth0, Entra ID or
// Keycloak says so.
func withoutUser(c session.Claims, client string) bool {
	sub, there := c["sub"]
	switch {
	case !there, client != "" && (sub == client || sub == client+"@clients"):
		return true
	case c["gty"] == "client-credentials", c["idtyp"] == "app":
		return true
	}
	// Entra ID sends idtyp only where it is asked to. Of a person sub is another
	// than oid, and there is an scp.
	if _, delegated := c["scp"]; !delegated && c["tid"] != nil && c["oid"] == sub {
		return true
	}
	return serviceAccount(c, client)
}

// serviceAccount says whether a token is of the user that Keycloak makes for a
// client. Somebody else may bear that name; the client's id beside it, clientId in
// older versions, is in the tokens of clients alone.
func serviceAccount(c session.Claims, client string) bool {
	return client != "" && (c["client_id"] == client || c["clientId"] == client) &&
		c["preferred_username"] == "service-account-"+strings.ToLower(client)
}

// refuseBound refuses a token that is bound to a key (RFC 7800 section 3.1):
// whoever merely holds it has not proved to be its owner.
func refuseBound(c session.Claims) error {
	if _, bound := c["cnf"]; bound {
		return session.Reject(session.ReasonTokenKind, "The access token is bound to a key and cannot be used as a plain bearer token.", nil)
	}
	return nil
}
