package config

import "github.com/invopop/jsonschema"

// limit is what a key's type does not say and the validate files do. A schema is no
// place for all of it: what is here is the form of a text, and whether a list may be
// empty or repeat itself.
type limit struct {
	// value is the schema of the value, of each element of a list, or of the names of a
	// mapping.
	value *jsonschema.Schema
	// filled says that a list is not empty.
	filled bool
	// unique says that nothing stands in a list twice.
	unique bool
}

const (
	// pathChar is a character of a path, or one that is percent-encoded.
	pathChar = `([A-Za-z0-9._~!$&'()+,=:@*-]|%[0-9A-F]{2})`
	// plainChar is the same without "*".
	plainChar = `([A-Za-z0-9._~!$&'()+,=:@-]|%[0-9A-F]{2})`
	// authority stands between :// and the path of a URL.
	authority = `[^/?#@]+`
	// server is an upstream's.
	server = `([Hh]([Tt][Tt][Pp][Ss]?|2[Cc])://` + authority + `/?|unix:(//)?/[^?#]*[^/?#])`
	https  = `^([Hh][Tt][Tt][Pp][Ss]://` + authority
	http   = `|[Hh][Tt][Tt][Pp]://([Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|127\.[0-9.]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?`
)

// limits are known by type and key. A key that is not here is limited by its type.
var limits = map[string]limit{
	"Config.public_url":    {value: matching(https+http+`)/?$`, "expected "+publicRule.expected)},
	"Config.listen":        {value: publicAddress, filled: true, unique: true},
	"Config.redirect_http": {value: publicAddress, unique: true},
	"Config.endpoints":     {value: fixedPath("/.auth")},
	"Config.include":       {value: matching(".", ""), unique: true},
	"Config.policies":      {value: policyKey},
	"Config.upstreams":     {value: upstreamKey},
	"Config.people":        {value: matching(`\S`, "expected the name of a person")},

	"included.policies":  {value: policyKey},
	"included.upstreams": {value: upstreamKey},
	"included.people":    {value: matching(`\S`, "expected the name of a person")},

	"Admin.listen": {value: address},
	"Audit.file":   {value: &jsonschema.Schema{Type: "string", MinLength: new(uint64(1)), Not: &jsonschema.Schema{Const: "-"}}},

	"Session.secrets": {filled: true},

	"Redis.url":       {value: matching(`^([Rr][Ee][Dd][Ii][Ss][Ss]?://[^/?#@]*(/[0-9]*)?|[Uu][Nn][Ii][Xx]:///[^?#]+(\?db=[0-9]+)?)$`, "expected "+redisExpected), filled: true, unique: true},
	"Redis.username":  {value: matching(`^\S+$`, "expected a name without blanks")},
	"Redis.sentinels": {value: matching(`^(\[[^\]/]+\]|[A-Za-z0-9._-]+):[1-9][0-9]{0,4}$`, "expected host:port, as in 127.0.0.1:26379"), filled: true, unique: true},
	"Redis.master":    {value: matching(`^\S+$`, "expected a name without blanks")},

	"Cookie.name": {value: token("expected a name of letters, digits and signs such as - and _")},

	"Provider.id":            {value: matching(providerID.String(), "expected small letters, digits and -, not - first")},
	"Provider.logo":          {value: matching(`^([Hh][Tt][Tt][Pp][Ss]://[^#]+|(/`+plainChar+`+)+)$`, "expected an https URL or a path on this host, as in /logo.svg")},
	"Provider.color":         {value: color},
	"Provider.color_dark":    {value: color},
	"Provider.issuer":        {value: issuer},
	"Provider.client_id":     {value: clientID},
	"Provider.scopes":        {value: scope, filled: true, unique: true},
	"Provider.callback_path": {value: fixedPath("/oauth/return")},
	"Provider.user":          {value: matching(`^\S(.*\S)?$`, "expected the name of a claim")},
	"Provider.user_prefix":   {value: &jsonschema.Schema{Type: "string", Pattern: `^\S*$`, Extras: map[string]any{"patternErrorMessage": "expected a prefix without blanks"}}},

	"Metadata.authorization_endpoint": {value: endpoint},
	"Metadata.token_endpoint":         {value: endpoint},
	"Metadata.userinfo_endpoint":      {value: endpoint},
	"Metadata.jwks_uri":               {value: endpoint},
	"Metadata.introspection_endpoint": {value: endpoint},
	"Metadata.token_info_endpoint":    {value: endpoint},
	"Metadata.revocation_endpoint":    {value: endpoint},
	"Metadata.end_session_endpoint":   {value: endpoint},

	"Client.client_id":    {value: clientID},
	"Client.redirect_uri": {value: matching(`^[A-Za-z][A-Za-z0-9+.-]*:[^#]*$`, "expected a redirect URI, as in http://127.0.0.1:11450/")},
	"Client.scopes":       {value: scope, unique: true},

	"Native.provider_header": {value: token("expected the name of a header")},
	"Bearer.id_token_header": {value: token("expected the name of a header")},
	"Bearer.accept":          {filled: true, unique: true},
	"Bearer.audiences":       {value: matching(`\S`, "expected an audience")},

	"Policy.providers": {filled: true, unique: true},

	"ACME.email":             {value: matching(mailAddress.String(), "expected an e-mail address")},
	"ACME.directory":         {value: endpoint},
	"ExternalAccount.key_id": {value: matching(`^\S(.*\S)?$`, "expected the id of a key")},

	"Tracing.endpoint": {value: matching(`^[Hh][Tt][Tt][Pp][Ss]?://`+authority+`/?$`, "expected "+collectorRule.expected)},

	"Upstream.url":          {value: matching(`^`+server+`$`, "expected "+upstreamRule.expected), filled: true, unique: true},
	"Upstream.health":       {value: matching(`^(/`+plainChar+`+)*/?(\?[^# ]*)?$`, "expected a path, as in /healthz")},
	"Upstream.strip_prefix": {value: fixedPath("/grafana")},
	"Upstream.server_name":  {value: matching(`^[A-Za-z0-9._:-]+$`, "expected a host name")},
	"Route.strip_prefix":    {value: fixedPath("/grafana")},

	"Route.host": {value: matching(`^((\*\.)?[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?)$`, `expected a host name alone, or one such as "*.int.example.org"`),
		filled: true, unique: true},
	"Route.path":        {value: matching(`^(/`+pathChar+`+)*/?$`, "expected a path that begins with /, percent-encoded where RFC 3986 says so")},
	"Route.methods":     {value: method, filled: true, unique: true},
	"Route.providers":   {filled: true, unique: true},
	"Route.public_from": {filled: true, unique: true},
	"Route.sign_in":     {filled: true, unique: true},
	"Route.allow":       {value: allowed()},
	"Route.rules":       {filled: true},
	"Rule.allow":        {value: allowed()},
	"Rule.methods":      {value: method, filled: true, unique: true},

	"Test.request": {filled: true},
	"Test.because": {value: matching(`\S`, "expected a reason word, the name of a policy or a condition")},
	"Test.as":      {filled: true, unique: true},
}

var (
	policyKey     = &jsonschema.Schema{Type: "string", Pattern: `^[A-Za-z0-9_.][A-Za-z0-9_.-]*$`, Not: &jsonschema.Schema{Enum: []any{elseKey, "public", "signed-in", "nobody"}}}
	upstreamKey   = &jsonschema.Schema{Type: "string", Pattern: `^[A-Za-z0-9_-]*$`}
	address       = matching(`^(\[[^\]/]*\]|[A-Za-z0-9._-]*):(0|[1-9][0-9]{0,4})$`, "expected host:port, as in 127.0.0.1:8080")
	publicAddress = matching(`^((\[[^\]/]*\]|[A-Za-z0-9._-]*):(0|[1-9][0-9]{0,4})|unix:/.+|systemd:[^: /]+)$`, "expected host:port, as in 127.0.0.1:8080, unix:/PATH or systemd:NAME")
	color         = matching(colorPattern.String(), `expected a colour as in "#1d99f3"`)
	clientID      = matching(`^\S(.*\S)?$`, "expected a client id")
	scope         = matching(scopeToken.String(), "expected a scope")
	endpoint      = matching(https+http+`)([/?][^#]*)?$`, "expected "+endpointRule.expected)
	method        = methodSchema()
)

// issuer is an address, and not that of the document below it.
var issuer = func() *jsonschema.Schema {
	s := matching(https+http+`)(/[^?#]*)?$`, "expected "+issuerRule.expected)
	s.Not = &jsonschema.Schema{Pattern: `/\.well-known/`}
	return s
}()

func fixedPath(example string) *jsonschema.Schema {
	return matching(`^(/`+plainChar+`+)+$`, "expected a path without a slash at its end, as in "+example)
}

// allowed is a condition, or a word that editors offer.
func allowed() *jsonschema.Schema {
	s := conditionText()
	s.Examples = []any{"public", "signed-in", "nobody"}
	return anyOf(s, refer("block"))
}

func methodSchema() *jsonschema.Schema {
	s := matching("^[!#$%&'+.^_`|~0-9A-Z-]+$", "expected a method in capital letters")
	s.Examples = []any{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	s.Not = &jsonschema.Schema{Enum: []any{"CONNECT", "TRACE"}}
	return s
}
