package answer

import (
	"math"
	"strconv"
	"strings"
)

// fill is the colour of a provider's button and the ink that is readable on it.
//
// The content security policy allows no inline styles, and a stylesheet for each
// provider would have to know the configuration. So the colour is the fill of an
// SVG rectangle behind the label: a presentation attribute, which is not a style
// (CSP Level 3 section 8.2 speaks of style attributes and elements alone).
type fill struct {
	// Color is "#rrggbb", or empty.
	Color string
	// Ink is the class of the label: "ink-white" or "ink-black".
	Ink string
}

// Set reports whether there is a colour at all.
func (f fill) Set() bool { return f.Color != "" }

// newFill takes "#rgb" or "#rrggbb"; anything else is no colour.
func newFill(color string) fill {
	hex, ok := strings.CutPrefix(color, "#")
	if !ok {
		return fill{}
	}
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	rgb, err := strconv.ParseUint(hex, 16, 24)
	if err != nil || len(hex) != 6 {
		return fill{}
	}
	ink := "ink-black"
	if l := luminance(uint32(rgb)); (1.05)/(l+0.05) > (l+0.05)/0.05 {
		ink = "ink-white"
	}
	return fill{Color: "#" + strings.ToLower(hex), Ink: ink}
}

// Ink is the colour of a label that is readable on a colour, "#ffffff" or "#000000", and
// empty where that is none.
func Ink(color string) string {
	return map[string]string{"ink-white": "#ffffff", "ink-black": "#000000"}[newFill(color).Ink]
}

// luminance is WCAG 2's relative luminance; contrast is (lighter+0.05)/(darker+0.05).
func luminance(rgb uint32) float64 {
	linear := func(c uint32) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb)
}
