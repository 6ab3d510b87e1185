package signin

import (
	"fmt"
	"regexp"
	"strings"
)

// refusedOptions of curl would send the token elsewhere than to its origin, or lead past what
// is checked here.
var refusedOptions = map[string]string{
	"location": "follow redirects", "location-trusted": "follow redirects", "follow": "follow redirects",
	"next": "begin anew, with other options", "config": "read options that are not seen here", "url": "ask an address that is not seen here",
}

// CurlOptions are the options that the curl of this machine has, by their names without
// dashes, and whether each takes a value.
type CurlOptions struct {
	long  map[string]bool
	short map[byte]string
}

var helpLine = regexp.MustCompile(`^ *(?:-(.), )? *--([a-z0-9.-]+)( <[^>]*>| )?`)

// ParseCurlHelp reads what "curl --help all" prints.
func ParseCurlHelp(help string) CurlOptions {
	o := CurlOptions{make(map[string]bool), make(map[byte]string)}
	for line := range strings.Lines(help) {
		m := helpLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		o.long[m[2]] = strings.Contains(m[3], "<")
		if m[1] != "" {
			o.short[m[1][0]] = m[2]
		}
	}
	return o
}

// Known says whether the options could be read: curl has had more than a hundred for long.
func (o CurlOptions) Known() bool { return len(o.long) > 100 }

// CheckCurl reports arguments of curl with which the token could go elsewhere than to its
// origin, and returns that origin. Every address among them has to be there.
func (o CurlOptions) CheckCurl(args []string) (origin string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return "", fmt.Errorf("leave out %q", arg)
		case strings.HasPrefix(arg, "--"):
			takes, err := o.option(arg[2:])
			if err != nil {
				return "", err
			}
			if takes {
				i++
			}
		case len(arg) > 1 && arg[0] == '-':
			takes, err := o.cluster(arg[1:])
			if err != nil {
				return "", err
			}
			if takes {
				i++
			}
		default:
			if origin, err = sameAddress(origin, arg); err != nil {
				return "", err
			}
		}
	}
	if origin == "" {
		return "", fmt.Errorf("which address is curl to ask?")
	}
	return origin, nil
}

// option says whether a long option takes the next argument as its value.
func (o CurlOptions) option(name string) (takes bool, err error) {
	if why, refused := refusedOptions[name]; refused {
		return false, fmt.Errorf("with --%s curl would %s, and the token is for one place alone", name, why)
	}
	takes, known := o.long[name]
	if !known {
		// Older ones take abbreviations, which could be of what is refused.
		if positive, no := strings.CutPrefix(name, "no-"); no && refusedOptions[positive] == "" {
			if takes, known := o.long[positive]; known && !takes {
				return false, nil
			}
		}
		return false, fmt.Errorf("curl has no option --%s here: write options in full", clean(name))
	}
	return takes, nil
}

// cluster reads short options that stand together, as in -sSd VALUE, and says whether the last
// takes the next argument.
func (o CurlOptions) cluster(letters string) (takes bool, err error) {
	for i := range len(letters) {
		name, known := o.short[letters[i]]
		if !known {
			return false, fmt.Errorf("curl has no option -%s here", clean(letters[i:i+1]))
		}
		takes, err := o.option(name)
		if err != nil {
			return false, err
		}
		if takes {
			return i == len(letters)-1, nil // or the rest is its value
		}
	}
	return false, nil
}

// sameAddress checks one address, as it stands: curl reads addresses in its own way, so that
// the part that says where has to be exactly the origin, and no pattern.
func sameAddress(origin, arg string) (string, error) {
	u, err := parseAddress(arg)
	if err != nil {
		return "", err
	}
	here := originOf(u)
	if rest, ok := strings.CutPrefix(arg, here); !ok || rest != "" && rest[0] != '/' {
		return "", fmt.Errorf("write the address in full and in small letters, as %s/..., got %q", here, clean(arg))
	}
	if origin != "" && here != origin {
		return "", fmt.Errorf("the token is for %s, and %s is another place: ask them one by one", origin, here)
	}
	return here, nil
}

// CurlConfig is the file of options that has curl send a token. It never stands in arguments,
// where everybody on the machine can read it.
func (t Token) CurlConfig() string {
	config := "no-location\nno-location-trusted\nheader = \"Authorization: Bearer " + t.AccessToken + "\"\n"
	if t.ProviderHeader != "" {
		config += "header = \"" + t.ProviderHeader + ": " + t.Provider + "\"\n"
	}
	return config
}
