package login

import (
	"fmt"
	"strings"
)

// hostilePlaces are places to return to that a stranger would like to lead people
// to, in the forms by which other proxies were deceived. host is the one that people
// may be led to, origin its origin.
func hostilePlaces(origin, host string) []string {
	var places []string
	add := func(list ...string) { places = append(places, list...) }

	// What a browser takes for "//", or a naive reader for a path.
	for _, lead := range []string{
		"//", "///", "////", "/////", `/\`, `/\\`, `\/`, `\\`, `\\\`, `/\/`, `\/\/`, `/\/\`, `\`, `//\`, `//\;@`, `/;//`, `//;@`, "/;@", "@", ";@", "///;@",
		"/%09/", "/%0a/", "/%0A/", "/%0d/", "/%0d%0a/", "/%0b/", "/%0c/", "/%00/", "/%01/", "/%08/", "/%1f/", "/%20/", "/%7f/", "/%a0/", "/%85/", "/%c2%a0/",
		"/%5c", "/%5C", "/%5c%5c", "/%5c/", "//%5c", "/%2f", "/%2F", "/%2f%2f", "/%2f/", "//%2f", "/%2f%5c", "/%5c%2f", "/%09%5c", "/%0b%5c", "/%252f", "/%252f%252f", "/%255c",
		"/\t/", "/\n/", "/\r/", "/\r\n/", "/\v/", "/\f/", "/\x00/", "/\x01/", "/\x7f/", "/ /", "\t//", "\n//", "\r\n//", " //", "\x00//", "\v//", "\x1f//",
		"/\u00a0/", "/\u0085/", "/\u2028/", "/\u3000/", "/\u200b/", "/\ufeff/", "\u00a0//", "\ufeff//", "/\u202e/", "/\u2044", "/\u2215", "/\uff0f", "\uff0f\uff0f", "/\uff3c", "/\u29f8", "/\xff/", "/\xc0\xaf", "/\xe0\x80\xaf",
		"/.//", "/..//", "/./", "/../", "/.%2f/", "/%2e/", "/%2e%2e/", "/%2e//", "/%2E%2E//", "/a/..//", "/a/../", "/a/%2e%2e//", "/a/../../", "/a/..;/", "/x/.//..//", "/.;//",
		"?//", "#//", "/#//", "/?//", "/?/../", ";//", "./", "../", ".//", "..//", ".", "~/", "",
	} {
		add(lead+"evil.example", lead+"evil.example/%2f..", lead+host+"@evil.example/")
	}
	// Schemes, complete, abbreviated and in disguise.
	for _, scheme := range []string{
		"http://", "https://", "HTTPS://", "https:", "https:/", "https:///", "https:////", `https:\\`, `https:/\`, `https:\/`, "https:;//", "https:%5c%5c", "https:%2f%2f", "https%3a%2f%2f", "https%3a//",
		"ht\ttps://", "h\nttps://", "\thttps://", " https://", "%20https://", "\x00https://", "http:/%09/", "ftp://", "ws://", "file:///", "blob:https://", "view-source:https://", "/https://", "/https:/%5c", "/https:///",
		"://", ":", "x:", "https://:80@", "https://a:b@", "https://@", "https://[::1]@", "//https://", "//https:///", "//javascript:", "/javascript:",
	} {
		add(scheme+"evil.example", scheme+"evil.example/"+origin, scheme+host+"@evil.example", scheme+"evil.example?"+host, scheme+"evil.example#"+host)
	}
	for _, script := range []string{
		"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)", " javascript:alert(1)", "javascript://%0aalert(1)",
		"javascript:// " + host + "/%0aalert(1)", "%6aavascript:alert(1)", "java%0ascript:alert(1)", "javascript&colon;alert(1)", `\x6aavascript:alert(1)`, `\u006aavascript:alert(1)`,
		"data:text/html,<script>alert(1)</script>", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "data:;base64,AAAA", "vbscript:msgbox(1)", "about:blank", "mailto:a@evil.example", "intent://evil.example#Intent;end",
		`";alert(0);//`, `'><script>alert(1)</script>`, "<>//evil.example", "/<>//evil.example", "/x:1/:///%01javascript:alert(1)/",
	} {
		add(script)
	}
	// Hosts that look like ours, or begin or end with it.
	for _, like := range []string{
		host + ".evil.example", "evil" + host, "evil.example." + host, host + "%2eevil.example", host + "%00.evil.example", host + "%23.evil.example", host + "%3f.evil.example", host + "%2f.evil.example", host + "%5c.evil.example",
		host + "%40evil.example", host + `\@evil.example`, host + `\.evil.example`, host + "@evil.example", host + ":80@evil.example", host + ":@evil.example", host + "&@evil.example#@" + host, host + "0", host + "x",
		"evil.example:80#@" + host, "evil.example?@" + host, `evil.example\@` + host, `evil.example\` + host, "evil.example%2f" + host, "evil.example;" + host, "evil.example," + host, "evil.example " + host, "evil.example\t" + host,
		"\u24d4vil.example", "evil\u3002example", "evil\uff0eexample", "evil%e3%80%82example", "xn--evil.example", "2130706433", "0x7f000001", "017700000001", "[::ffff:203.0.113.1]", "[::1]", "[::1%25evil]", "evil.example:99999", "", ".", "*", "localhost",
	} {
		add("https://"+like+"/", "http://"+like+"/", "//"+like+"/", "https:"+like)
	}
	// Header and cookie injection, and simply too much.
	add("/x\r\nSet-Cookie: a=b", "/x%0d%0aSet-Cookie:%20a=b", "/x\r\n\r\n<script>", "/x?\r\nLocation: https://evil.example", "/?x=\x00", "/\xe5\x98\x8d\xe5\x98\x8aSet-Cookie:a=b")
	add("/"+strings.Repeat("a", 1<<16), "//"+strings.Repeat("a", maxReturnTo), "/"+strings.Repeat("../", 2000)+"evil.example", "/?"+strings.Repeat("%", 4096), strings.Repeat("/", 3000))
	// Back into the flow.
	for _, page := range []string{"sign-in", "start/invent", "callback/invent?code=c&state=s", "sign-out", "", "me/", "me/../sign-out", "me%2f", "me;x"} {
		for _, root := range []string{"/.auth/", "/%2eauth/", "/.%61uth/", "/.auth%2f", "/.auth%2F", "/./.auth/", "/x/../.auth/", "/%2e/.auth/", "/x/%2e%2e/.auth/", "/.auth//", "/.auth/./", "//.auth/", `/.auth\`} {
			add(root + page)
		}
	}
	// Each of them behind the public origin, as the absolute form has it.
	for _, place := range places {
		places = append(places, origin+place)
	}
	return places
}

// wantHere says what is wrong with a place to lead people to: an address that is
// not on the public origin, by whatever reading.
func wantHere(location, origin string) error {
	rest, ok := strings.CutPrefix(location, origin)
	if !ok || rest == "" || rest[0] != '/' {
		return fmt.Errorf("%.200q does not begin with %q", location, origin+"/")
	}
	if len(rest) > 1 && (rest[1] == '/' || rest[1] == '\\') {
		return fmt.Errorf("%.200q has the path of a relative reference to another host", location)
	}
	for i := range len(location) {
		if c := location[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte("\\\"<>^`{|}", c) >= 0 {
			return fmt.Errorf("%.200q has the byte %#x", location, c)
		}
	}
	if path, _, _ := strings.Cut(rest, "?"); strings.HasPrefix(path, "/.auth") && path != "/.auth/me" {
		return fmt.Errorf("%.200q leads back into the flow", location)
	}
	return nil
}
