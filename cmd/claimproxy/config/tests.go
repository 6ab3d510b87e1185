package config

import "net/netip"

// Test says what is decided about requests, each for every person that it names.
type Test struct {
	// Requests are what is asked for, each as "METHOD /path", on PublicURL's host, or
	// "METHOD https://host/path". The method is in capital letters. The path is
	// canonical, as in Route.Path, but every character stands for itself; a query is
	// allowed and makes no difference. A host is one that some route names, unless
	// not-found is expected.
	Requests []TestRequest `yaml:"request,required,many"`
	// As names those of People who ask, one after the other. Without As and Claims it is
	// somebody unknown.
	As []string `yaml:"as,many"`
	// Claims are those of a person without a name, as in Person; nil is none. A test has
	// As or Claims, not both.
	Claims map[string]any `yaml:"claims"`
	// Auth is how the person is known: "browser", "bearer", or "client", a token that
	// belongs to a program and no person. The default is each kind of sign_in of the
	// route in turn.
	Auth TestAuth `yaml:"auth"`
	// From is the client's address. The default is 192.0.2.1, which is nobody's (RFC
	// 5737).
	From netip.Addr `yaml:"from"`
	// Expect is what has to be decided: "allow", "deny", "sign-in" or "not-found".
	Expect Expectation `yaml:"expect,required"`
	// Because is why: what a refusal has to name as missing, in the words of a condition,
	// the name of the policy that decides, or a reason word such as no-credentials. It is
	// optional.
	Because string `yaml:"because"`
}

// TestRequest is a request that is decided on in a test.
type TestRequest struct {
	// Method is in upper case.
	Method string
	// Host is in lower case, without port and brackets, as in Route.Hosts.
	Host string
	// Path is the path as it would be forwarded: percent-encoded, without the query.
	Path string
	// Text is the request as it stands in the file.
	Text string

	// scheme and port are those of a URL.
	scheme, port string
}

// TestAuth is how the person of a test is known. The zero value is in every way that
// the route lets in.
type TestAuth string

// The values of TestAuth.
const (
	TestBrowser TestAuth = "browser"
	TestBearer  TestAuth = "bearer"
	TestClient  TestAuth = "client"
)

func (TestAuth) words() []string {
	return []string{string(TestBrowser), string(TestBearer), string(TestClient)}
}

// Expectation is what a test expects.
type Expectation string

// The values of Expectation.
const (
	// ExpectAllow is that the request is forwarded.
	ExpectAllow Expectation = "allow"
	// ExpectDeny is that it is refused, and that signing in would not help.
	ExpectDeny Expectation = "deny"
	// ExpectSignIn is that it is refused for want of knowing who asks.
	ExpectSignIn Expectation = "sign-in"
	// ExpectNotFound is that no route matches.
	ExpectNotFound Expectation = "not-found"
)

func (Expectation) words() []string {
	return []string{string(ExpectAllow), string(ExpectDeny), string(ExpectSignIn), string(ExpectNotFound)}
}
