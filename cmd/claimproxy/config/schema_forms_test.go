package config

import (
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/claimproxy/claimproxy/policy"
)

// form is the schema of a type that the decoder knows by itself, nil for others. Larger
// ones refer to formDefinitions.
func form(t reflect.Type) *jsonschema.Schema {
	if words, ok := reflect.Zero(t).Interface().(enum); ok {
		return oneWord(words)
	}
	switch t {
	case reflect.TypeFor[url.URL]():
		return text() // which URLs are legal is up to the key
	case reflect.TypeFor[time.Duration]():
		return refer("duration")
	case reflect.TypeFor[Maintenance]():
		return anyOf(&jsonschema.Schema{Type: "boolean"}, matching(`\S`, "expected "+maintenanceExpected))
	case reflect.TypeFor[Size]():
		return matching(sizePattern.String(), "expected "+sizeExpected)
	case reflect.TypeFor[Count]():
		return &jsonschema.Schema{Type: "integer", Minimum: "0", Maximum: "2147483647"}
	case reflect.TypeFor[netip.Prefix]():
		return matching(`^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$`, "expected "+networkExpected)
	case reflect.TypeFor[TrustedProxy]():
		return matching(`^(unix:|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$`, "expected "+trustedExpected)
	case reflect.TypeFor[PassScheme]():
		return matching("^[!#$%&'*+.^_`|~0-9A-Za-z-]+( [A-Za-z0-9._~+/-]+=*)?$", "expected "+passSchemeExpected)
	case reflect.TypeFor[netip.Addr]():
		return matching(`^[0-9A-Fa-f:.]+$`, "expected an address such as 192.0.2.1 or 2001:db8::1")
	case reflect.TypeFor[policy.Clause]():
		return refer("condition")
	case reflect.TypeFor[map[string]any](), reflect.TypeFor[Person]():
		return refer("claims")
	case reflect.TypeFor[Secret]():
		return refer("secret")
	case reflect.TypeFor[IdentityHeaders]():
		return refer("headers")
	case reflect.TypeFor[AuthorizeParams]():
		return parameters()
	case reflect.TypeFor[UpstreamRef]():
		return anyOf(
			matching(`^([A-Za-z0-9_-]+|`+server+`)$`, "expected the name of an upstream, a URL or a mapping"),
			refer("upstream"),
		)
	case reflect.TypeFor[TestRequest]():
		return matching(`^[!#$%&'+.^_|~0-9A-Z-]+ ([A-Za-z][A-Za-z0-9+.-]*://[^/?#@ ]+([/?][^# ]*)?|/[^# ]*)$`, "expected "+requestExpected)
	}
	return nil
}

// formDefinitions are the forms that stand in many places, or in themselves.
func formDefinitions() jsonschema.Definitions {
	return jsonschema.Definitions{
		"duration":  matching(durationPattern.String(), "expected "+durationExpected),
		"condition": condition(),
		"block":     block(),
		"claims":    claims(),
		"secret":    secret(),
		"headers":   headers(),
		"header":    header(),
	}
}

// shortForms are types whose struct is one form among others.
var shortForms = map[reflect.Type]func(*jsonschema.Schema) *jsonschema.Schema{
	reflect.TypeFor[Discovery](): func(mapping *jsonschema.Schema) *jsonschema.Schema {
		s := anyOf(oneWord(DiscoveryQFieldCloud), mapping)
		s.Description, mapping.Description = mapping.Description, ""
		return s
	},
	reflect.TypeFor[Policy](): func(mapping *jsonschema.Schema) *jsonschema.Schema {
		s := anyOf(conditionText(), mapping)
		s.Description, mapping.Description = mapping.Description, ""
		return s
	},
}

// togetherness is which keys of a struct need and exclude each other.
var togetherness = map[reflect.Type]func(*jsonschema.Schema){
	reflect.TypeFor[Audit](): func(s *jsonschema.Schema) {
		on := func(key string) *jsonschema.Schema {
			s := &jsonschema.Schema{Required: []string{key}, Properties: jsonschema.NewProperties()}
			s.Properties.Set(key, &jsonschema.Schema{Const: true})
			return s
		}
		s.OneOf = []*jsonschema.Schema{{Required: []string{"file"}}, on("stdout"), on("syslog")}
	},
	reflect.TypeFor[Provider](): func(s *jsonschema.Schema) {
		// People sign in at it, or its tokens say for whom they are.
		tokens := &jsonschema.Schema{Required: []string{"bearer"}, Properties: jsonschema.NewProperties()}
		tokens.Properties.Set("bearer", &jsonschema.Schema{Type: "object", Required: []string{"audiences"}})
		s.AnyOf = []*jsonschema.Schema{{Required: []string{"client_id"}}, tokens}
	},
	reflect.TypeFor[Route](): func(s *jsonschema.Schema) {
		s.OneOf = []*jsonschema.Schema{{Required: []string{"allow"}}, {Required: []string{"rules"}}}
		s.Extras = map[string]any{"dependencies": map[string]any{
			"shadow": []string{"allow"}, "forward_token": []string{"upstream"}, "cors_preflight": []string{"upstream"}, "method_override": []string{"upstream"},
			"strip_prefix": []string{"upstream"}, "max_body": []string{"upstream"}, "maintenance": []string{"upstream"},
		}}
	},
	reflect.TypeFor[Session](): func(s *jsonschema.Schema) {
		with := func(store SessionStore, then *jsonschema.Schema) *jsonschema.Schema {
			used := &jsonschema.Schema{Required: []string{"store"}, Properties: jsonschema.NewProperties()}
			used.Properties.Set("store", &jsonschema.Schema{Const: string(store)})
			return &jsonschema.Schema{If: used, Then: then}
		}
		// Who names another store may write down a part of this for later.
		whole := &jsonschema.Schema{Required: []string{"secrets", "redis"}, Properties: jsonschema.NewProperties()}
		whole.Properties.Set("redis", wholeRedis())
		s.AllOf = []*jsonschema.Schema{with(StoreRedis, whole), with(StoreCookie, &jsonschema.Schema{Required: []string{"secrets"}})}
	},
	reflect.TypeFor[Upstream](): func(s *jsonschema.Schema) {
		s.Extras = map[string]any{"dependencies": map[string]any{"cert": []string{"key"}, "key": []string{"cert"}}}
	},
	reflect.TypeFor[HSTS](): func(s *jsonschema.Schema) {
		having := func(key string, value bool) *jsonschema.Schema {
			s := &jsonschema.Schema{Properties: jsonschema.NewProperties()}
			s.Properties.Set(key, &jsonschema.Schema{Const: value})
			return s
		}
		whole := having("include_subdomains", true)
		whole.Required = []string{"include_subdomains"}
		s.AnyOf = []*jsonschema.Schema{having("preload", false), whole}
	},
	reflect.TypeFor[TLS](): func(s *jsonschema.Schema) {
		s.AnyOf = []*jsonschema.Schema{{Required: []string{"cert", "key"}}, {Required: []string{"acme"}}}
		s.Extras = map[string]any{"dependencies": map[string]any{"cert": []string{"key"}, "key": []string{"cert"}}}
	},
	reflect.TypeFor[Test](): func(s *jsonschema.Schema) {
		s.Not = &jsonschema.Schema{Required: []string{"as", "claims"}}
		named := anyOf(&jsonschema.Schema{Required: []string{"as"}}, &jsonschema.Schema{Required: []string{"claims"}})
		s.Extras = map[string]any{"dependencies": map[string]any{"auth": named}}
	},
}

// wholeRedis is a Redis that can be found: by its URL, or by its sentinels.
func wholeRedis() *jsonschema.Schema {
	having := func(title, url, expected string, keys ...string) *jsonschema.Schema {
		s := titled(title, &jsonschema.Schema{Required: keys, Properties: jsonschema.NewProperties()})
		s.Properties.Set("url", anyOf(matching(url, expected), listOf(matching(url, expected))))
		return s
	}
	named := having("by its URL", `://[^/]|^[Uu][Nn][Ii][Xx]:`, "expected a URL that names the server", "url")
	named.Not = anyOf(&jsonschema.Schema{Required: []string{"sentinels"}}, &jsonschema.Schema{Required: []string{"master"}})
	found := having("by its sentinels", `^[Rr][Ee][Dd][Ii][Ss][Ss]?:///`, "expected the scheme and the database alone, as in redis:///0", "sentinels", "master")
	found.Properties.Set("cluster", &jsonschema.Schema{Const: false})
	s := anyOf(named, found)
	s.Extras = map[string]any{"dependencies": map[string]any{"username": []string{"password"}}}
	return s
}

func text() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// matching is a text of a certain form, and the sentence that editors show otherwise.
func matching(p, expected string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string", MinLength: new(uint64(1)), Pattern: p}
	if expected != "" {
		s.Extras = map[string]any{"patternErrorMessage": expected}
	}
	return s
}

func refer(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }

func anyOf(forms ...*jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{AnyOf: forms} }

func titled(title string, s *jsonschema.Schema) *jsonschema.Schema {
	s.Title = title
	return s
}

func listOf(element *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Items: element, MinItems: new(uint64(1))}
}

func oneWord(e enum) *jsonschema.Schema {
	s := text()
	for _, word := range e.words() {
		s.Enum = append(s.Enum, word)
	}
	return s
}

// mapping is a mapping with no other keys than these, one of them or more.
func mapping(keys ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for _, key := range keys {
		s.Properties.Set(key, new(jsonschema.Schema))
	}
	return s
}

// describeKey sets the schema of one of the keys.
func describeKey(s *jsonschema.Schema, key, description string, value *jsonschema.Schema) {
	value.Description = description
	s.Properties.Set(key, value)
}

// exactlyOne lets a mapping have one of its keys.
func exactlyOne(s *jsonschema.Schema) *jsonschema.Schema {
	s.MinProperties, s.MaxProperties = new(uint64(1)), new(uint64(1))
	return s
}

func conditionText() *jsonschema.Schema {
	return titled("condition", matching(`\S`, "expected "+clauseExpected))
}

func condition() *jsonschema.Schema { return anyOf(conditionText(), refer("block")) }

func block() *jsonschema.Schema {
	s := titled("block", exactlyOne(mapping(blockWords...)))
	describeKey(s, "all", "All of these conditions have to hold.", listOf(refer("condition")))
	describeKey(s, "any", "One of these conditions has to hold.", listOf(refer("condition")))
	describeKey(s, "not", "This condition must not hold. A claim that is missing grants nothing here either.", refer("condition"))
	describeKey(s, "expr", "An expression in the language of expr-lang, over claims and request (method, path, host, client_ip).", matching(`\S`, ""))
	return s
}

func secret() *jsonschema.Schema {
	plain := titled("the secret itself", text())
	plain.Description = "Better {file: PATH}, {env: NAME} or {credential: NAME}."
	plain.MinLength = new(uint64(1))
	elsewhere := titled("where the secret is", exactlyOne(mapping(secretSources...)))
	describeKey(elsewhere, "file", "The file that holds the secret, and perhaps one newline at its end. The path is relative to this file.", matching(".", ""))
	describeKey(elsewhere, "env", "The environment variable that holds the secret.", matching(".", ""))
	describeKey(elsewhere, "credential", "The systemd credential that holds the secret, from $CREDENTIALS_DIRECTORY.", matching(`^[^/\\]+$`, "expected the name of a credential"))
	return anyOf(elsewhere, plain)
}

func claims() *jsonschema.Schema {
	s := mapping()
	s.AdditionalProperties = nil // a claim may have any value that JSON knows
	s.PropertyNames = &jsonschema.Schema{MinLength: new(uint64(1)), Not: &jsonschema.Schema{Const: "auth"}}
	describeKey(s, "provider", "The id of the provider that these claims are from.", text())
	return s
}

func parameters() *jsonschema.Schema {
	s := mapping()
	s.AdditionalProperties = text()
	own := &jsonschema.Schema{}
	for name := range protocolParams {
		own.Enum = append(own.Enum, name)
	}
	slices.SortFunc(own.Enum, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	s.PropertyNames = matching(`^[^ \t&=#]+$`, "expected the name of a parameter")
	s.PropertyNames.Not = own
	describeKey(s, "prompt", "How the provider is to ask: login, consent, select_account.", &jsonschema.Schema{
		Type: "string", Not: &jsonschema.Schema{Pattern: "none"},
	})
	return s
}

// headers are a preset, headers by name, or a list of both.
func headers() *jsonschema.Schema {
	preset, named := titled("a preset", oneWord(HeaderPreset(""))), refer("header")
	several := oneWord(HeaderPreset(""))
	several.Enum = slices.DeleteFunc(several.Enum, func(word any) bool { return word == string(PresetNone) })
	alone := listOf(anyOf(preset, named))
	alone.MaxItems = new(uint64(1))
	return anyOf(preset, named, alone, listOf(anyOf(several, named)))
}

func header() *jsonschema.Schema {
	value := func(expected string) *jsonschema.Schema { return matching(`^\S(.*\S)?$`, expected) }
	claim := titled("a claim", value("expected a claim, or a mapping from policies to values"))
	cases := titled("a value for each policy", &jsonschema.Schema{
		Type: "object", AdditionalProperties: value("expected a value for a header, without outer blanks"), MinProperties: new(uint64(1)),
		Not: &jsonschema.Schema{Required: []string{elseKey}, MaxProperties: new(uint64(1))},
	})
	s := titled("headers", &jsonschema.Schema{Type: "object", AdditionalProperties: anyOf(claim, cases)})
	s.PropertyNames = token("expected the name of a header")
	s.PropertyNames.Not = &jsonschema.Schema{}
	for _, name := range unfitHeaders {
		s.PropertyNames.Not.Enum = append(s.PropertyNames.Not.Enum, name)
	}
	return s
}

func token(expected string) *jsonschema.Schema {
	return matching("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", expected)
}
