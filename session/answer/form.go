package answer

// Field is one field of a form.
type Field struct{ Name, Value string }

// Form is what an Action sends again: fields in their order, of which several may have
// one name.
type Form struct {
	Fields []Field
	// Multipart sends them as multipart/form-data, as they came.
	Multipart bool
}
