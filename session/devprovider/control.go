package devprovider

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SetPerson adds a person, or replaces the one of the same name: that is how a
// test changes groups or blocks somebody while tokens live.
func (p *Provider) SetPerson(person Person) {
	if person.Name == "" {
		panic("devprovider: a person without a name")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.people, func(other *Person) bool { return other.Name == person.Name })
	if person.FullName == "" {
		person.FullName = person.Name
	}
	if person.Subject == "" {
		if i >= 0 {
			person.Subject = p.people[i].Subject
		} else {
			person.Subject = strconv.Itoa(len(p.people) + 1)
		}
	}
	people := slices.Clone(p.people)
	if i >= 0 {
		people[i] = &person
	} else {
		people = append(people, &person)
	}
	p.people = people
}

// Person returns the person of that name, as set.
func (p *Provider) Person(name string) Person {
	person := p.person(name)
	if person == nil {
		panic(fmt.Sprintf("devprovider: no person %q", name))
	}
	return *person
}

// SetClient registers a client, or replaces the one of the same id.
func (p *Provider) SetClient(client Client) {
	if client.ID == "" {
		panic("devprovider: a client without an id")
	}
	if client.Name == "" {
		client.Name = client.ID
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[client.ID] = &client
}

// Issue gives the tokens that the person would have got by signing in at the
// client just now with these space-separated scopes. An empty person gives the
// token of the client alone (client credentials).
func (p *Provider) Issue(person, client, scopes string) Tokens {
	tokens, err := p.give(person, client, scopes)
	if err != nil {
		panic("devprovider: issuing tokens: " + err.Error())
	}
	return tokens
}

func (p *Provider) give(person, client, scopes string) (Tokens, error) {
	c := p.client(client)
	if c == nil {
		return Tokens{}, fmt.Errorf("no client %q", client)
	}
	if person != "" && p.person(person) == nil {
		return Tokens{}, fmt.Errorf("no person %q", person)
	}
	granted, err := p.scopes(scopes)
	if err != nil {
		return Tokens{}, fmt.Errorf("scopes %q: got one that is not among %q", scopes, strings.Join(p.opts.Scopes, " "))
	}
	tokens, t, err := p.issue(c, grant{client: client, person: person, scopes: granted, authTime: p.opts.Now()}, "")
	if err != nil {
		return Tokens{}, err
	}
	p.grants.addRow(t)
	return tokens, nil
}

// SignInAs makes every authorization request end at once with that person signed
// in, without a page. The empty name brings the page back.
func (p *Provider) SignInAs(name string) {
	if name != "" {
		p.Person(name) // panics when unknown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signInAs = name
}

// RevokeAll revokes all tokens of a person, as an administrator would, and
// returns the number of access tokens that were revoked.
func (p *Provider) RevokeAll(person string) int {
	return p.grants.revoke(func(t *row) bool { return t.person == person })
}

// Revoke revokes one access or refresh token, and the other one beside it. It
// reports whether the token was there.
func (p *Provider) Revoke(token string) bool {
	return token != "" && p.grants.revoke(func(t *row) bool { return t.access == token || t.refresh == token }) > 0
}

// ExpireAll ends the life of all access tokens now, also of those that had no
// end. Refresh tokens stay good. The exp of a JWT stays as it was signed.
func (p *Provider) ExpireAll() { p.grants.expire(p.opts.Now().Add(-time.Second)) }

// Rewrite lets change alter a document before it is sent or signed; nil ends
// that. The function may be called by several goroutines at once.
func (p *Provider) Rewrite(doc Document, change func(map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rewrite[doc] = change
}

// Calls returns how many requests the endpoint has got, whatever their answer.
func (p *Provider) Calls(name Endpoint) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[name]
}
