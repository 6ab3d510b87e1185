package answer

// Content is what a page says, from top to bottom. Every part may be left out.
// All of it is text; nothing is ever taken for HTML.
type Content struct {
	// Title is the heading, and the name of the tab.
	Title string
	// Text is one paragraph for each element.
	Text []string
	// Needs tells a person who may not what was missing.
	Needs []Need
	// Facts is a table of names and values, such as one's claims.
	Facts []Fact
	// Lists is for things of a kind, such as one's other sessions.
	Lists []List
	// Actions is what the reader can do: links and forms with one button.
	Actions []Action
	// Tables are longer tables of exact names and values, below the actions so
	// that these stay in sight.
	Tables []Table
	// Help tells where to ask: a link if it is an https, http or mailto URL, else
	// a sentence.
	Help string
	// Detail is one technical line for whoever is asked for help, such as a
	// provider's error code. The request id is shown beside it always.
	Detail string
	// FormOrigins names further origins ("https://idp.example.org") to which a
	// form of this page may lead. Browsers apply form-action to the redirects
	// after a form too, so signing out at the provider needs its origin here.
	FormOrigins []string
}

// Need is one thing that was needed, and what the reader has instead.
type Need struct{ Needs, Have string }

// Fact is one line of a table.
type Fact struct{ Name, Value string }

// Table is a titled table, such as the claims that are known about somebody.
type Table struct {
	Title string
	Rows  []Row
}

// Row is one line of a Table: a name and its values, one below the other. Of many
// values the page shows the first ones and folds the others away.
type Row struct {
	Name   string
	Values []string
}

// List is a titled list.
type List struct {
	Title string
	Items []Item
}

// Item is one thing of a list with what can be done about it.
type Item struct {
	Text    string
	Note    string
	Actions []Action
}

// Action is a link, or a form of one button.
type Action struct {
	// Label is the text on it.
	Label string
	// URL is a path or an https or http URL; an action that leads elsewhere is
	// left out.
	URL string
	// Main draws it as the thing to do next. A choice among equals has none.
	Main bool
	// Post makes it a form that is sent with POST and carries Hidden.
	Post   bool
	Hidden map[string]string
	// Form, if set, makes it a form that is sent with POST and carries these fields
	// instead.
	Form *Form
	// Logo is the picture beside the label: a path, an https URL or a data: URL of
	// an image. Its alternative text is empty, as the label says the name.
	Logo string
	// Color and ColorDark fill the button, as "#rgb" or "#rrggbb", by light and by
	// dark; without ColorDark, Color serves for both. The label is drawn in black
	// or white, whichever is easier to read.
	Color, ColorDark string
}
