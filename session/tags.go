package session

// What sessions are found by without their cookies: whose they are, and which login at
// the provider they come from. A subject is only one at its issuer (OpenID Connect Core
// section 5.7), and so is a sid (Back-Channel Logout section 2.1).
const (
	tagPerson = "person"
	tagLogin  = "login"
)

// tagsOf are the tags that a session is created with.
func (s *Store) tagsOf(id *Identity) []Tag {
	tags := s.sealer.Tags(tagPerson, tagText(id.Issuer, id.Subject))[:1]
	if sid, ok := id.Claims.String("sid"); ok && sid != "" {
		tags = append(tags, s.sealer.Tags(tagLogin, tagText(id.Issuer, sid))[0])
	}
	return tags
}

// tagText needs a separator that no issuer has.
func tagText(issuer, name string) string { return issuer + "\x00" + name }
